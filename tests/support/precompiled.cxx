// Nothing: CMake needs a source to compile the header beside.
