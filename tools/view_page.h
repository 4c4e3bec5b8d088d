// The parts of the page that tapeir view writes: tools/view/ as C arrays that
// end with NUL, made by embed.cmake.
#ifndef TAPEIR_TOOLS_VIEW_PAGE_H
#define TAPEIR_TOOLS_VIEW_PAGE_H

extern const char view_html[];
extern const char view_css[];
extern const char view_model_js[];
extern const char view_layout_js[];
extern const char view_graph_js[];
extern const char view_charts_js[];
extern const char view_details_js[];

#endif
