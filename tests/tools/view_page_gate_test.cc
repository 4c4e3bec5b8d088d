// The page of tapeir view in a real browser, Chromium without a screen.
#include "tests/tools/command.h"

namespace {

class ViewPage : public Command {
 protected:
  // The page after `script` ran in it; what it says goes to the title.
  std::string Title(const std::string &page, const std::string &script) {
    std::string text = Read(page);
    const size_t at = text.rfind("</body>");
    EXPECT_NE(at, std::string::npos);
    text.insert(at, "<script>" + script + "</script>");
    Write("run.html", text);
    Run("chromium --headless --no-sandbox --disable-gpu --user-data-dir=" +
        dir +
        "/profile --enable-logging=stderr --virtual-time-budget=5000 "
        "--window-size=1200,800 --dump-dom file://" +
        dir + "/run.html");
    EXPECT_EQ(status, 0) << err;
    EXPECT_EQ(err.find("CONSOLE"), std::string::npos) << err;
    EXPECT_TRUE(Has("data-ready=\"yes\""));
    const size_t begin = out.find("<title>") + 7;
    return out.substr(begin, out.find("</title>") - begin);
  }
};

}  // namespace

TEST_F(ViewPage, SelectsSearchesAndOpensScopes) {
  Write("s.tirt", R"(graph @net(%x: f32[2, 3]) {
  %a.h = tanh %x : f32[2, 3]
  %a.b.h = exp %a.h : f32[2, 3]
  %0 = neg %a.b.h : f32[2, 3] "c/h"
  return %0 "y"
}
)");
  Tapeir("bench --runs 1 --json s.tirt > b.json");
  Tapeir("view s.tirt --profile b.json --output p.html");
  ASSERT_EQ(status, 0) << err;
  const std::string scopes =
      "scopes.map(pathText).filter(t => t).sort().join(' ')";
  EXPECT_EQ(Title("p.html", "document.title = " + scopes), "a a.b c");
  // Closed: the input and two boxes. Open: four nodes and three boxes.
  EXPECT_EQ(Title("p.html",
                  "setAll(false); const closed = shownItems.length;"
                  "setAll(true);"
                  "document.title = closed + ' ' + shownItems.length;"),
            "3 7");
  EXPECT_EQ(Title("p.html",
                  "setAll(false);"
                  "select(nodes.find(n => n.op === 'exp'), true);"
                  "document.title = nodes[2].parent.open + ' ' + "
                  "byId('details').querySelector('h2').textContent;"),
            "true exp");
  EXPECT_EQ(Title("p.html",
                  "byId('search').value = 'neg'; search();"
                  "document.title = byId('found').textContent;"),
            "neg c/h");
  EXPECT_EQ(Title("p.html",
                  "for (const b of byId('tabs').children) b.click();"
                  "document.title = byId('tabs').textContent;"),
            "Memory by stepArena mapTime by step");
}

// No two boxes of one scope overlap, and none leaves its scope.
TEST_F(ViewPage, BoxesDoNotOverlap) {
  std::string text = "graph @big(%x: f32[8]) {\n";
  std::string last = "x";
  for (int i = 0; i < 300; i++) {
    const std::string name =
        "block" + std::to_string(i / 30) + ".n" + std::to_string(i);
    text += "  %" + name + " = " + (i % 3 ? "tanh" : "exp") + " %" + last +
            " : f32[8]\n";
    if (i % 4) last = name;
  }
  Write("big.tirt", text + "  return %" + last + " \"y\"\n}\n");
  Tapeir("view big.tirt --pipeline none --output p.html");
  ASSERT_EQ(status, 0) << err;
  EXPECT_EQ(Title("p.html", R"(
    setAll(true);
    let bad = 0;
    for (const scope of scopes) {
      const items = [...scope.scopes.values(), ...scope.nodes];
      for (const a of items) {
        if (scope !== root && (a.x < scope.x || a.y < scope.y ||
            a.x + a.w > scope.x + scope.w + 0.01 ||
            a.y + a.h > scope.y + scope.h + 0.01)) bad++;
        for (const b of items)
          if (a !== b && a.x < b.x + b.w - 0.01 && b.x < a.x + a.w - 0.01 &&
              a.y < b.y + b.h - 0.01 && b.y < a.y + a.h - 0.01) bad++;
      }
    }
    document.title = bad + ' of ' + nodes.length;)"),
            "0 of 301");
}

TEST_F(ViewPage, FiveThousandNodes) {
  std::string text = "graph @big(%x: f32[8]) {\n";
  for (int i = 0; i < 5000; i++) {
    const auto name = [](int k) {
      return k < 0 ? std::string("x") : "n" + std::to_string(k);
    };
    text += "  %" + name(i) + " = add %" + name(i - 1) + ", %" +
            name(i - 1 - i % 7) + " : f32[8]\n";
  }
  Write("big.tirt", text + "  return %n4999 \"y\"\n}\n");
  Tapeir("view big.tirt --pipeline none --output p.html");
  ASSERT_EQ(status, 0) << err;
  // Laying out and drawing all of it stays within what feels immediate.
  EXPECT_EQ(Title("p.html",
                  "const from = performance.now(); layOutAll(); draw();"
                  "document.title = shownItems.length + ' ' + "
                  "(performance.now() - from < 5000);"),
            "5001 true");
}
