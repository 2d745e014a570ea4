#!/usr/bin/env python3
"""Compare the tree with what docs/ARCHITECTURE.md and the house style promise.

    python3 tests/tidy.py [ROOT]

Checked: who may include whom (the table in ARCHITECTURE.md is the rule), no
include cycles, every file says in its first lines what it is for, headers carry
contracts, quantities carry their unit.  Prints file:line: reason; exit 1 if any.
"""
import os
import re
import subprocess
import sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..")
os.chdir(ROOT)
findings = []


def finding(path, line, reason):
    findings.append(f"{path}:{line}: {reason}")


def tracked():
    """Files git knows or would add; everything outside a checkout."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], check=True,
            capture_output=True, text=True).stdout
        return sorted(p for p in out.splitlines() if os.path.isfile(p))
    except (OSError, subprocess.CalledProcessError):
        return sorted(os.path.relpath(os.path.join(d, f))
                      for d, _, fs in os.walk(".") for f in fs)


def permissions():
    """Rows of the table: folder -> folders it may include."""
    rows = {}
    inside = False
    with open("docs/ARCHITECTURE.md", encoding="utf-8") as page:
        for line in page:
            if line.startswith("| Folder | may include |"):
                inside = True
                continue
            if inside and not line.startswith("|"):
                break
            if inside and not line.startswith("|---"):
                cells = [c.strip().strip("`") for c in line.split("|")[1:-1]]
                allowed = re.findall(r"`([\w/]+)`", line.split("|")[2])
                rows[cells[0]] = set(allowed)
    if not rows:
        sys.exit("tidy: docs/ARCHITECTURE.md has no include table")
    return rows


def folder_of(path, rows):
    """The longest row that is a prefix of the path."""
    best = ""
    for row in rows:
        if path.startswith(row + "/") and len(row) > len(best):
            best = row
    return best


def check_includes(files, rows):
    edges = {}
    include = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
    for path in files:
        if not path.endswith((".c", ".h")) or path.startswith("tests/"):
            continue
        own = folder_of(path, rows)
        if not own:
            finding(path, 1, "folder is not in ARCHITECTURE.md's table")
            continue
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                match = include.match(line)
                if not match:
                    continue
                target = match.group(1)
                other = folder_of(target, rows)
                if not other:
                    if "/" in target and os.path.exists(target):
                        finding(path, number, f"includes unlisted {target}")
                    continue
                edges.setdefault(own, set()).add(other)
                if other != own and other not in rows[own]:
                    finding(path, number,
                            f"{own} may not include {other} ({target})")
    return edges


def check_cycles(edges):
    state = {}

    def visit(node, trail):
        if state.get(node) == "done":
            return
        if node in trail:
            cycle = trail[trail.index(node):] + [node]
            finding("docs/ARCHITECTURE.md", 1,
                    "folders include one another: " + " -> ".join(cycle))
            return
        for other in sorted(edges.get(node, ())):
            if other != node:
                visit(other, trail + [node])
        state[node] = "done"

    for node in sorted(edges):
        visit(node, [])


PURPOSE = {
    ".c": re.compile(r"\A(// SPDX[^\n]*\n)?/\* \S"),
    ".h": re.compile(r"\A(// SPDX[^\n]*\n)?/\* \S"),
    ".proto": re.compile(r"\A// \S"),
    ".sh": re.compile(r"\A(#![^\n]*\n)?# \S"),
    ".py": re.compile(r'\A(#![^\n]*\n)?""" ?\S'),
}


def check_first_lines(files):
    for path in files:
        rule = PURPOSE.get(os.path.splitext(path)[1])
        if rule is None:
            continue
        with open(path, encoding="utf-8") as source:
            if not rule.match(source.read(400)):
                finding(path, 1, "does not say in its first lines what it is")


def check_contracts(files):
    """A header with prototypes explains them: prose is a tenth at the least."""
    prototype = re.compile(r"^(?!static|#|typedef)[a-zA-Z][^{};#]*\);", re.M)
    for path in files:
        if not path.endswith(".h") or path.startswith(("tests/", "bpf/vm")):
            continue
        with open(path, encoding="utf-8") as source:
            text = source.read()
        comments = "".join(re.findall(r"/\*.*?\*/", text, re.S))
        if prototype.search(text) and \
                comments.count("\n") + text.count("/*") < \
                0.10 * text.count("\n"):
            finding(path, 1, "prototypes without contracts (prose < 10 %)")


QUANTITY = re.compile(
    r"\b(?:u?int(?:32|64)_t|double|size_t|long)\s+\*?"
    r"(\w*(?:timeout|delay|interval|duration|latency|deadline|_age|_time))"
    r"\s*[;,)=]")


def check_units(files):
    for path in files:
        if not path.endswith((".c", ".h")) or path.startswith("tests/"):
            continue
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                match = QUANTITY.search(line)
                if match:
                    finding(path, number,
                            f"{match.group(1)} has no unit in its name")


STATUS_LOST = re.compile(r'\$\([^(].* "?\$\?"?\s*$')


def check_statuses(files):
    """In `ok "$(cat x)" $?` the status is that of cat: it cannot fail."""
    for path in files:
        if not path.endswith(".sh"):
            continue
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                if STATUS_LOST.search(line):
                    finding(path, number,
                            "$? is the status of $(...) on this line")


def main():
    files = tracked()
    check_cycles(check_includes(files, permissions()))
    check_first_lines(files)
    check_contracts(files)
    check_statuses(files)
    check_units(files)
    for text in findings:
        print(text)
    return 1 if findings else 0


sys.exit(main())
