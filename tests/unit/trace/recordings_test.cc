#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "events.h"
#include "trace/recordings_hosted.h"
#include "trace/store.h"
#include "trace/store_hosted.h"
#include "trace/trace_file_hosted.h"

namespace orrery::trace {
namespace {

namespace fs = std::filesystem;

class Recordings : public testing::Test {
 protected:
  void SetUp() override { setenv("XDG_DATA_HOME", home_.path().c_str(), 1); }

  std::string make(const std::string& program, const std::string& wanted = "") {
    auto created = create_recording(program, wanted);
    EXPECT_TRUE(created);
    const std::string path = created.take();
    RecordingInfo info{.program = program, .arguments = {program}};
    info.started_ns = ++clock_;
    EXPECT_TRUE(write_info(path, info));
    return path;
  }

  /// A recording with a trace, a launch block, an engine and one mapped file.
  std::string make_whole() {
    const std::string path = make("whole");
    const std::string library = home_.path() + "/library.so";
    std::ofstream(library) << std::string(5000, 'l');
    usleep(30'000);
    EXPECT_TRUE(keep_engine(path, library));
    const u8 block[] = {1, 2, 3};
    EXPECT_TRUE(write_launch(path, block));
    auto store = open_store();
    auto files = open_files(path);
    LibcStoreCalls calls;
    FileReference reference;
    const int fd = open(library.c_str(), O_RDONLY);
    const i64 kept = FileStore(calls, store.value(), files.value()).keep(fd, 0, reference);
    EXPECT_GE(kept, 0);
    for (const int used : {fd, static_cast<int>(kept), store.value(), files.value()}) close(used);
    auto appender = TraceAppender::create(path + "/trace", 1);
    std::vector<u8> payload(sizeof reference);
    std::memcpy(payload.data(), &reference, sizeof reference);
    std::vector<u8> events;
    add_event(events, {.kind = EventKind::map, .number = 0}, payload);
    EXPECT_TRUE(appender.value().append(events, 1));
    EXPECT_TRUE(appender.value().finish());
    return path;
  }

  TemporaryDirectory home_;
  u64 clock_ = 0;
};

TEST_F(Recordings, AreNumberedAndTheLatestIsFound) {
  std::string trouble;
  EXPECT_EQ(resolve_recording("", trouble), "");
  EXPECT_NE(trouble.find("orrery record"), std::string::npos);
  const std::string first = make("/usr/bin/grep");
  EXPECT_EQ(fs::path(first).filename(), "grep-0");
  make("grep-ish");
  const std::string second = make("grep");
  EXPECT_EQ(fs::path(second).filename(), "grep-1");
  EXPECT_EQ(resolve_recording("", trouble), second);
  EXPECT_EQ(resolve_recording("grep-0", trouble), first);
  EXPECT_EQ(resolve_recording(first, trouble), first);
  EXPECT_EQ(resolve_recording("latest", trouble), second);
  EXPECT_EQ(resolve_recording("nosuch", trouble), "");
  struct stat status {};
  ASSERT_EQ(stat(first.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(Recordings, CanLieElsewhere) {
  const std::string path = home_.path() + "/mine";
  EXPECT_EQ(make("prog", path), path);
  std::string trouble;
  EXPECT_EQ(resolve_recording("", trouble), path);
  EXPECT_FALSE(create_recording("prog", path)) << "it is not empty";
  EXPECT_FALSE(create_recording("prog", home_.path() + "/no/such/place"));
  mkdir((home_.path() + "/empty").c_str(), 0700);
  EXPECT_TRUE(create_recording("prog", home_.path() + "/empty"));
}

TEST_F(Recordings, OddProgramNamesMakeGoodDirectories) {
  for (const char* name : {"..", "latest", "/", "a b", "-rf", "\n", "x/../.."}) {
    const std::string path = make(name);
    EXPECT_EQ(fs::path(path).parent_path(), recordings_directory()) << name;
  }
  EXPECT_EQ(list_recordings().size(), 7u);
}

TEST_F(Recordings, AreListedOldestFirst) {
  make("b");
  make("a");
  make("c");
  const auto all = list_recordings();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "b-0");
  EXPECT_EQ(all[2].name, "c-0");
  EXPECT_EQ(all[1].info.program, "a");
}

TEST_F(Recordings, RemovingMendsTheLatestLink) {
  const std::string first = make("p"), second = make("p");
  ASSERT_TRUE(remove_recording(second));
  std::string trouble;
  EXPECT_EQ(resolve_recording("", trouble), first);
  ASSERT_TRUE(remove_recording(first));
  EXPECT_EQ(resolve_recording("", trouble), "");
  EXPECT_FALSE(remove_recording(home_.path())) << "no recording";
  EXPECT_TRUE(fs::exists(home_.path()));
}

TEST_F(Recordings, WhatIsBeingWrittenIsNotRemoved) {
  const std::string path = make("p");
  {
    auto appender = TraceAppender::create(path + "/trace", 1);
    ASSERT_TRUE(appender);
    EXPECT_TRUE(is_being_written(path));
    EXPECT_FALSE(remove_recording(path));
  }
  EXPECT_FALSE(is_being_written(path));
  EXPECT_TRUE(remove_recording(path));
}

TEST_F(Recordings, LaunchBlocksAreChecked) {
  const std::string path = make("p");
  const std::vector<u8> block(1000, 7);
  ASSERT_TRUE(write_launch(path, block));
  EXPECT_EQ(read_launch(path).value(), block);
  std::fstream file(path + "/launch", std::ios::in | std::ios::out | std::ios::binary);
  for (const int at : {0, 8, 16, 20, 24, 500}) {
    file.seekg(at);
    const char before = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(before ^ 0x40)).flush();
    EXPECT_FALSE(read_launch(path)) << at;
    file.seekp(at);
    file.put(before).flush();
    EXPECT_TRUE(read_launch(path));
  }
}

TEST_F(Recordings, PackingMakesOwnCopies) {
  const std::string path = make_whole();
  EXPECT_EQ(verify_recording(path), std::vector<std::string>{});
  EXPECT_EQ(measure_recording(path).shared_bytes, 10'000u);
  EXPECT_EQ(unshare_recording(path).value(), 2u);
  EXPECT_EQ(measure_recording(path).shared_bytes, 0u);
  EXPECT_EQ(verify_recording(path), std::vector<std::string>{});
  EXPECT_EQ(unshare_recording(path).value(), 0u);
}

TEST_F(Recordings, VerifyFindsWhatIsMissing) {
  const std::string path = make_whole();
  unlink((path + "/files/0").c_str());
  ASSERT_EQ(verify_recording(path).size(), 1u);
  EXPECT_NE(verify_recording(path)[0].find("missing"), std::string::npos);
  std::ofstream(path + "/files/0") << "short";
  EXPECT_NE(verify_recording(path)[0].find("another size"), std::string::npos);
  unlink((path + "/engine").c_str());
  unlink((path + "/launch").c_str());
  EXPECT_EQ(verify_recording(path).size(), 3u);
}

TEST_F(Recordings, AKilledWriterIsSettledOverAllProcesses) {
  for (const bool all_ended : {true, false}) {
    const std::string path = make("tree");
    {
      auto appender = TraceAppender::create(path + "/trace", 1);
      ASSERT_TRUE(appender);
      std::vector<u8> first, second;
      add_event(first, {.kind = EventKind::exit, .number = 0, .result = 4, .time_ns = 100});
      add_event(second, {.kind = EventKind::start, .number = 0, .time_ns = 50});
      if (all_ended) add_event(second, {.kind = EventKind::exit, .number = 1, .time_ns = 300});
      ASSERT_TRUE(appender.value().append(second, 1, 1));
      ASSERT_TRUE(appender.value().append(first, 1, 0));
      EXPECT_TRUE(settle_recording(path));
      EXPECT_EQ(read_info(path).value().state, RecordingState::recording) << "it is still being written";
    }
    EXPECT_TRUE(settle_recording(path));
    const RecordingInfo info = read_info(path).take();
    EXPECT_EQ(info.process_count, 2u);
    EXPECT_EQ(info.killed_count, all_ended ? 0u : 1u);
    EXPECT_EQ(info.exit_status, 4);
    EXPECT_EQ(info.event_count, all_ended ? 3u : 2u);
    EXPECT_EQ(info.duration_ns, all_ended ? 250u : 50u);
    EXPECT_EQ(info.state, all_ended ? RecordingState::complete : RecordingState::gap);
  }
}

TEST_F(Recordings, TheStoreIsTidiedOfWhatNobodyLinks) {
  const std::string path = make_whole();
  StoreUse use = tidy_store(true, 0);
  EXPECT_EQ(use.entry_count, 1u);
  EXPECT_EQ(use.unused_count, 0u);
  ASSERT_TRUE(remove_recording(path));
  EXPECT_EQ(tidy_store(true, 3600).unused_count, 0u) << "an hour is left to the next recording";
  EXPECT_EQ(tidy_store(false, 0).unused_count, 1u) << "only looked at";
  use = tidy_store(true, 0);
  EXPECT_EQ(use.unused_count, 1u);
  EXPECT_EQ(use.unused_bytes, 5000u);
  EXPECT_EQ(tidy_store(false, 0).entry_count, 0u);
}

TEST_F(Recordings, InfoSurvivesStrangers) {
  const std::string path = make("p");
  for (const char* text :
       {"", "garbage", "orrery recording 1\nexit_status: x\npid: 99999999999999\nargument: \\x4",
        "orrery recording 9\nunknown: 1\nstate: recording\n: \nprogram: a"}) {
    std::ofstream(path + "/info") << text;
    const auto info = read_info(path);
    EXPECT_EQ(static_cast<bool>(info), std::string(text).starts_with("orrery"));
  }
}

}  // namespace
}  // namespace orrery::trace
