// Field numbers of serialize/tapeir.proto that are read or written by hand:
// File and Graph are streamed field by field, only their parts go through
// protobuf-c, so that a graph of a million nodes never stands in memory as a
// million messages.
#ifndef TAPEIR_SERIALIZE_SCHEMA_H
#define TAPEIR_SERIALIZE_SCHEMA_H

enum {
  TIR_SER_FILE_TENSORS = 1,
  TIR_SER_FILE_PARAMS = 2,
  TIR_SER_FILE_GRAPHS = 3,
  TIR_SER_FILE_METADATA = 4,
  TIR_SER_FILE_BODIES = 5,

  TIR_SER_GRAPH_NAME = 1,
  TIR_SER_GRAPH_OPS = 2,
  TIR_SER_GRAPH_SYMBOLS = 3,
  TIR_SER_GRAPH_TYPES = 4,
  TIR_SER_GRAPH_SITES = 5,
  TIR_SER_GRAPH_NODES = 6,
  TIR_SER_GRAPH_OUTPUTS = 7,

  TIR_SER_NODE_INPUTS = 2,
  TIR_SER_NODE_TYPES = 3,

  // Fields from here on may be skipped by who does not know them.
  TIR_SER_FIRST_EXTRA = 1000,
};

#endif
