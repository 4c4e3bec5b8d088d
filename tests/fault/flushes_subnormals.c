// Linked with the flag that makes a shared object flush its host's
// subnormals: what libtapeir.so must never do.
int flushes_subnormals(void);
int flushes_subnormals(void) { return 1; }
