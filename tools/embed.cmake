# Files as C arrays: cmake -DOUT=out.c -DFILES="name=path;…" -P embed.cmake
set(text "// Written by tools/embed.cmake.\n#include \"view_page.h\"\n")
foreach(pair ${FILES})
  string(REGEX MATCH "^([a-z_]+)=(.*)$" match "${pair}")
  set(name ${CMAKE_MATCH_1})
  file(READ "${CMAKE_MATCH_2}" hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex
    "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," hex "${hex}")
  string(APPEND text "const char ${name}[] = {\n${hex}0};\n")
endforeach()
file(WRITE "${OUT}" "${text}")
