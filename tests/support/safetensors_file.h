// safetensors files written by hand, independently of the library's writer.
#ifndef TAPEIR_TESTS_SUPPORT_SAFETENSORS_FILE_H
#define TAPEIR_TESTS_SUPPORT_SAFETENSORS_FILE_H

#include <stdint.h>

#include <string>

// Size of the header, the header as it stands, the data.
inline std::string SafetensorsFile(const std::string &header,
                                   const std::string &data) {
  std::string bytes;
  for (int i = 0; i < 8; i++)
    bytes += static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return bytes + header + data;
}

// One entry of a header.
inline std::string SafetensorsEntry(const std::string &name,
                                    const std::string &dtype,
                                    const std::string &shape, uint64_t begin,
                                    uint64_t end) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

#endif
