"""Known bugs of real programs. Two were mended in Debian's patches, and are put back by taking those out of its source packages."""
import os
import pathlib
import subprocess
import zipfile

SOURCES = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"
FLAGS = "-g -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong"

# Package: the patches that are taken out, how it is built, and the program.
PACKAGES = {
    # https://git.savannah.gnu.org/cgit/patch.git/commit/?id=76e775847f4954b63dc72afe34d9d921c6688b31
    "patch": (["0009-Fix_failed_assertion_outstate-after_newline.patch"],
              ["./configure", "-q", "--disable-dependency-tracking", f"CFLAGS={FLAGS}"], ["make", "-s"], "src/patch"),
    # CVE-2014-9913
    "unzip": (["18-cve-2014-9913-unzip-buffer-overflow.patch"], ["true"],
              ["make", "-s", "-f", "unix/Makefile", "unzips", "CC=gcc", "LD=gcc", "LF2=",
               f"CF={FLAGS} -I. -DACORN_FTYPE_NFS -DWILD_STOP_AT_DIR -DLARGE_FILE_SUPPORT -DUNICODE_SUPPORT -DUNICODE_WCHAR -DUTF8_MAYBE_NATIVE "
               "-DNO_LCHMOD -DDATE_FORMAT=DF_YMD -DNATIVE -DHAVE_TERMIOS_H -DHAVE_DIRENT_H"], "unzip"),
}


def run(*words, **more):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def apt(folder):
    """Its own lists: the machine's sources need not have deb-src."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    (folder / "apt/sources.list").write_text(SOURCES)
    (folder / "apt/conf").write_text(f'Dir::Etc::sourcelist "{folder}/apt/sources.list";\nDir::Etc::sourceparts "-";\n'
                                     f'Dir::State::lists "{folder}/apt/lists";\nDir::Cache "{folder}/apt/cache";\n')
    return dict(os.environ, APT_CONFIG=str(folder / "apt/conf"))


def build(_source, _level, folder):
    folder = pathlib.Path(folder) / "real"
    folder.mkdir(exist_ok=True)
    (folder / "recursion.mk").write_text("f=$(call f)\n$(call f)\nall:\n")
    (folder / "one").write_text("one\n")
    (folder / "two").write_text("two")
    (folder / "two.patch").write_text("--- two\n+++ two\n@@ -1 +1 @@\n-two\n\\ No newline at end of file\n+three\n\\ No newline at end of file\n"
                                      "--- one\n+++ one\n@@ -1 +1 @@\n-one\n+four\n")
    with zipfile.ZipFile(folder / "method.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    data = bytearray((folder / "method.zip").read_bytes())
    method = data.index(b"PK\x01\x02") + 10  # of the central directory's entry
    data[method:method + 2] = (65535).to_bytes(2, "little")
    (folder / "method.zip").write_bytes(data)
    environment = apt(folder)
    run("apt-get", "update", "-qq", env=environment)
    for package, (patches, configure, make, _program) in PACKAGES.items():
        run("apt-get", "source", "-qq", package, cwd=folder, env=environment)
        home = home_of(package, folder)
        for patch in patches:
            run("patch", "-R", "-p1", "-i", f"debian/patches/{patch}", cwd=home)
        run(*configure, cwd=home)
        # What else the package has (manuals, tests) may want tools that are not there.
        subprocess.run(make, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        assert program(package, folder).exists(), package


def home_of(package, folder):
    return next(each for each in pathlib.Path(folder).glob(f"{package}-*") if each.is_dir())


def program(package, folder):
    return home_of(package, folder) / PACKAGES[package][3]


def command_of(case, folder):
    folder = pathlib.Path(folder) / "real"
    return {
        "jq_implode": lambda: ["/usr/bin/jq", "-n", "[-1] | implode"],
        "make_recursion": lambda: ["/usr/bin/make", "-f", folder / "recursion.mk"],
        # The C library's regcomp() goes down once for each: CVE-2010-4051.
        "sed_parentheses": lambda: ["/usr/bin/sed", "-E", "-n", "/" + "(" * 30000 + ")" * 30000 + "/p", "/dev/null"],
        "busybox_recursion": lambda: ["/usr/bin/busybox", "sh", "-c", "f() { f; }; f"],
        # Lib/test/crashers/bogus_code_obj.py
        "python_bogus_code": lambda: ["/usr/bin/python3", "-c", "exec((lambda: 0).__code__.replace(co_code=bytes([100, 200]) * 4))"],
        "patch_after_newline": lambda: [program("patch", folder), "-d", folder, "-o", "/dev/null", "-i", "two.patch"],
        "unzip_method": lambda: [program("unzip", folder), "-lv", folder / "method.zip"],
    }[case]()
