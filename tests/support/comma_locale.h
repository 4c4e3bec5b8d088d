// A host whose numbers have a comma. No machine need have such a locale: it is
// made from its own lines by localedef, which comes with glibc.
#ifndef TAPEIR_TESTS_SUPPORT_COMMA_LOCALE_H
#define TAPEIR_TESTS_SUPPORT_COMMA_LOCALE_H

#include <gtest/gtest.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

class CommaLocale {
 public:
  CommaLocale() : before_(setlocale(LC_ALL, nullptr)) {
    std::string folder = testing::TempDir() + "tapeir_locale_XXXXXX";
    if (!mkdtemp(folder.data())) {
      ADD_FAILURE() << "no folder " << folder;
      return;
    }
    folder_ = folder;
    std::ofstream(folder + "/source")
        << "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\n"
           "grouping 3;3\nEND LC_NUMERIC\n";
    // It warns of all that is not said, and fails by that, but writes the
    // files; whether they are good is seen below.
    const std::string made = "localedef -c -i " + folder + "/source -f " +
                             "ANSI_X3.4-1968 " + folder + "/comma >" + folder +
                             "/log 2>&1";
    const int status = system(made.c_str());
    setenv("LOCPATH", folder.c_str(), 1);
    char text[8] = "";
    if (setlocale(LC_NUMERIC, "comma"))
      snprintf(text, sizeof text, "%.1f", 1.5);
    EXPECT_STREQ(text, "1,5") << "localedef gave " << status;
  }
  ~CommaLocale() {
    setlocale(LC_ALL, before_.c_str());
    unsetenv("LOCPATH");
    const std::string remove = "rm -rf " + folder_;
    if (!folder_.empty() && system(remove.c_str())) ADD_FAILURE() << remove;
  }
  CommaLocale(const CommaLocale &) = delete;
  CommaLocale &operator=(const CommaLocale &) = delete;

 private:
  const std::string before_;
  std::string folder_;
};

#endif
