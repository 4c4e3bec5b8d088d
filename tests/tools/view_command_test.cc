// tapeir view: the page holds everything it needs, and its data are JSON.
#include "tests/tools/command.h"

namespace {

// Is [at, …) one JSON value? Moves `at` behind it.
class JsonReader {
 public:
  explicit JsonReader(const std::string &text) : text_(text) {}
  bool Whole() { return Value(0) && at_ == text_.size(); }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(const std::string &word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  bool String() {
    if (!Take("\"")) return false;
    for (; Peek() != '"'; at_++) {
      if (static_cast<unsigned char>(Peek()) < 0x20) return false;
      if (Peek() == '\\') at_++;
    }
    return Take("\"");
  }
  bool Number() {
    const size_t n = text_.find_first_not_of("+-.0123456789eE", at_) - at_;
    char *end;
    strtod(text_.c_str() + at_, &end);
    at_ += n;
    return n > 0 && end == text_.c_str() + at_;
  }
  bool List(const char *open, const char *close, bool keys, int depth) {
    if (!Take(open)) return false;
    if (Take(close)) return true;
    do {
      if (keys && !(String() && Take(":"))) return false;
      if (!Value(depth + 1)) return false;
    } while (Take(","));
    return Take(close);
  }
  bool Value(int depth) {
    if (depth > 20) return false;
    switch (Peek()) {
      case '{':
        return List("{", "}", true, depth);
      case '[':
        return List("[", "]", false, depth);
      case '"':
        return String();
      case 't':
        return Take("true");
      case 'f':
        return Take("false");
      case 'n':
        return Take("null");
      default:
        return Number();
    }
  }
  const std::string &text_;
  size_t at_ = 0;
};

std::string DataOf(const std::string &page) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const size_t begin = page.find(open);
  if (begin == std::string::npos) return "";
  const size_t from = begin + open.size();
  return page.substr(from, page.find("</script>", from) - from);
}

}  // namespace

TEST_F(Command, ViewLoadsNothingFromOutside) {
  Tapeir("view m.tirt --gradient --output p.html");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(out, "");
  const std::string page = Read("p.html");
  EXPECT_EQ(page.find("<!doctype html>"), 0u);
  EXPECT_EQ(page.substr(page.size() - 8), "</html>\n");
  for (const char *word : {"http:", "https:", "//cdn", " src=", "href=", "url(",
                           "@import", "fetch(", "XMLHttpRequest", "import ",
                           "WebSocket", "@STYLE@", "@DATA@", "@SCRIPT@"})
    EXPECT_EQ(page.find(word), std::string::npos) << word;
}

TEST_F(Command, ViewDataAreJsonWhateverTheNames) {
  Write("evil.tirt", R"(graph @"</script><b>\"\x01"(%x: f32[2]) {
  %0 = exp %x : f32[2] "</script><script>alert(1)//\\"
  return %0 "<!--"
}
)");
  for (const char *file : {"m.tirt", "evil.tirt"}) {
    Tapeir(std::string("view --force --output p.html ") + file);
    ASSERT_EQ(status, 0) << err;
    const std::string page = Read("p.html"), data = DataOf(page);
    EXPECT_TRUE(JsonReader(data).Whole()) << data;
    EXPECT_EQ(data.find('<'), std::string::npos) << data;
    EXPECT_EQ(page.find("alert(1)"), page.rfind("alert(1)"));
  }
  // The reader itself knows what is no JSON.
  for (const char *bad : {"", "{", "[1,]", "{\"a\"}", "\"a", "[1 2]", "nul"})
    EXPECT_FALSE(JsonReader(bad).Whole()) << bad;
}

TEST_F(Command, ViewTakesTimesOfTheSameGraphOnly) {
  Tapeir("bench --runs 1 --json m.tirt > b.json");
  Tapeir("view --profile b.json --output p.html m.tirt");
  ASSERT_EQ(status, 0) << err;
  EXPECT_NE(DataOf(Read("p.html")).find("\"profile\":{\"median_ns\":"),
            std::string::npos);
  Tapeir("view --gradient --profile b.json --output q.html m.tirt");
  EXPECT_EQ(status, 1);
  EXPECT_NE(err.find("b.json is no bench of this graph: it has 2 steps"),
            std::string::npos)
      << err;
  EXPECT_EQ(Read("q.html"), "");
  Tapeir("view --profile m.tirt --output q.html m.tirt");
  EXPECT_EQ(status, 1);
  Tapeir("view --output p.html m.tirt");
  EXPECT_EQ(err, "error: p.html exists (--force overwrites)\n");
  Tapeir("view m.tirt");
  EXPECT_EQ(status, 2);
}

TEST_F(Command, ViewSaysWhatAProfileLacks) {
  const auto with = [this](const std::string &text) {
    Write("b.json", text);
    Tapeir("view --profile b.json --output p.html m.tirt");
    EXPECT_EQ(status, 1);
    EXPECT_EQ(Read("p.html"), "");
    return err;
  };
  EXPECT_EQ(with("{\"n_steps\": 2, \"steps\": []}"),
            "error: b.json has no median_ns\n");
  EXPECT_EQ(with("{\"n_steps\": 2, \"median_ns\": \"1\", \"steps\": []}"),
            "error: b.json has no median_ns\n");
  EXPECT_EQ(with("{\"n_steps\": 2, \"median_ns\": 9, \"steps\": "
                 "[{\"step\": 0, \"median_ns\": 1}, {\"step\": 1}]}"),
            "error: b.json: steps[1] has no median_ns\n");
  EXPECT_EQ(with("{\"n_steps\": 2, \"median_ns\": 9, \"steps\": "
                 "[{\"median_ns\": 1}]}"),
            "error: b.json: steps[0] has no step\n");
  EXPECT_EQ(with("{\"n_steps\": 2, \"median_ns\": 9}"),
            "error: b.json is no bench of this graph: it has 2 steps, the "
            "graph 2\n");
}
