// The tables of the layer "build": what the lens writes and `orrery show build` reads.
#pragma once

#include <optional>

#include "db/table.h"

namespace orrery::lens::build {

/// Below the recording: contents by their hash.
inline constexpr const char* kArtefactsDirectory = "artefacts";

struct StepRow {
  u32 step = 0;
  std::optional<u32> parent{};
  u32 process = 0;
  std::string phase{};
  std::optional<std::string> merged{};
  std::string program{}, command{}, directory{};
  u64 start_ns = 0, end_ns = 0;
  std::optional<u64> user_ns{}, system_ns{}, peak_bytes{};
  std::string end{};
};
inline constexpr db::Column<StepRow> kStepColumns[] = {
    db::column<&StepRow::step>("step", "Its number, by which the other tables call it.", db::Key::primary),
    db::column<&StepRow::parent>("parent", "The step that started it; NULL for the first.", db::Key::indexed),
    db::column<&StepRow::process>("process",
                                  "The process that ran it; one that executes again runs several."),
    db::column<&StepRow::phase>(
        "phase",
        "driver, preprocess, compile, assemble, link, archive, build tool or other, as "
        "its program and arguments say."),
    db::column<&StepRow::merged>(
        "merged", "The phases that it carried out as one process, in words; NULL if it was one."),
    db::column<&StepRow::program>("program", "Path of its program."),
    db::column<&StepRow::command>("command", "Name and arguments, quoted as for a shell."),
    db::column<&StepRow::directory>("directory", "Where it was started."),
    db::column<&StepRow::start_ns>("start_ns", "When it began, in ns since the recording did."),
    db::column<&StepRow::end_ns>("end_ns", "When it ended or became another program."),
    db::column<&StepRow::user_ns>(
        "user_ns",
        "Time on a processor, from getrusage(2) at the end of its process: with the "
        "engine's share (translating code, recording) and with what the process ran "
        "before; NULL where not recorded."),
    db::column<&StepRow::system_ns>("system_ns", "The same in the kernel."),
    db::column<&StepRow::peak_bytes>("peak_bytes",
                                     "Largest resident set, likewise: with the engine's memory and with the "
                                     "parent's at the fork."),
    db::column<&StepRow::end>("end", "How it ended, in words."),
};
inline constexpr db::Table<StepRow> kSteps = {
    "build_step", "The programs that the recorded processes ran, as steps of a build.", kStepColumns};

struct ArtefactRow {
  u64 artefact = 0;
  u32 step = 0;
  std::string path{};
  std::optional<std::string> made_as{};
  std::string kind{};
  std::optional<u64> size{};
  std::optional<std::string> xxh64{}, content{};
  u64 written_ns = 0;
  std::optional<u64> removed_ns{};
  std::string fate{};
};
inline constexpr db::Column<ArtefactRow> kArtefactColumns[] = {
    db::column<&ArtefactRow::artefact>("artefact", "Its number.", db::Key::primary),
    db::column<&ArtefactRow::step>("step", "The step that wrote it.", db::Key::indexed),
    db::column<&ArtefactRow::path>("path", "The last name that it had.", db::Key::indexed),
    db::column<&ArtefactRow::made_as>("made_as", "The first, if it was renamed; else NULL."),
    db::column<&ArtefactRow::kind>("kind", "What it is, by its first bytes, and text by its name."),
    db::column<&ArtefactRow::size>("size", "Bytes, when its step had written it; NULL if nothing tells."),
    db::column<&ArtefactRow::xxh64>(
        "xxh64",
        "XXH64 of its content with seed 0, 16 hexadecimal digits; NULL if not all "
        "of it passed through the recording, or if it is empty.",
        db::Key::indexed),
    db::column<&ArtefactRow::content>("content",
                                      "Where its content is kept, below the recording; NULL if it is not."),
    db::column<&ArtefactRow::written_ns>("written_ns",
                                         "When it was last written, since the recording began."),
    db::column<&ArtefactRow::removed_ns>("removed_ns", "When its last name was removed; NULL if it was not."),
    db::column<&ArtefactRow::fate>("fate", "there, removed, or replaced by a later one of that name."),
};
inline constexpr db::Table<ArtefactRow> kArtefacts = {
    "artefact", "The files that the steps wrote, also those that were removed again.", kArtefactColumns};

struct InputRow {
  u32 step = 0;
  std::string path{};
  std::string kind{};
  std::optional<u64> size{}, artefact{};
  std::optional<std::string> xxh64{}, content{};
  u64 known_bytes = 0;
};
inline constexpr db::Column<InputRow> kInputColumns[] = {
    db::column<&InputRow::step>("step", "The step that read it.", db::Key::indexed),
    db::column<&InputRow::path>("path", "Its path, as the step named it.", db::Key::indexed),
    db::column<&InputRow::kind>("kind", "What it is, as of artefacts."),
    db::column<&InputRow::size>("size", "Bytes; NULL if nobody asked."),
    db::column<&InputRow::artefact>("artefact", "The artefact that it is, if a recorded step wrote it.",
                                    db::Key::indexed),
    db::column<&InputRow::xxh64>("xxh64", "XXH64 of all its bytes; NULL if not all were read."),
    db::column<&InputRow::content>(
        "content", "Where what was read of it is kept, with zeros between; NULL if it is not."),
    db::column<&InputRow::known_bytes>("known_bytes", "How many of its bytes the recording has."),
};
inline constexpr db::Table<InputRow> kInputs = {"build_input",
                                                "The files that a step read or mapped and had not written "
                                                "itself, without the libraries that it was loaded "
                                                "with.",
                                                kInputColumns};

}  // namespace orrery::lens::build
