"""Takes defences out of C++ sources, each behind a switch.

A mutant is one condition of a refusal that never holds, one check that is not made, or one condition of a predicate
that always holds. All of them are compiled into one tree, and SEALIFT_MUTANT=NUMBER takes one out at run time: a
build for all of them, not one for each. Written for this project's own formatted sources; it reads no other C++.
"""

import re
from dataclasses import dataclass

# What a refusal returns, or adds to a plan.
REFUSAL = re.compile(
    r"(return\s+(std::move\()?(\w+::)?(broken|broken_by|refused|untrusted|newer|exceeded|malformed|wrong_form|wrong|"
    r"usage|fork|gap|stranger|vanished|changed_size|nothing_there|with_places|told|not_there|at_link)\w*\b)"
    r"|(return\s+(base::)?(Error\()?\{?(base::)?ErrorCode::k(Corrupt|Refused|Unsupported|WrongKey|Busy|Usage)\b)"
    r"|(block|blocked)\(")
CHECK = re.compile(r"RETURN_IF_ERROR\((?:\w+(?:\.|->|::))*(?:check|refuse|verify|prove|only|must)\w*\(")
DECLARATION = re.compile(r"^(?:const\s+)?(?:auto|[\w:<>]+)\s*[*&]*\s*(\w+)\s*=(?!=)")
CONSTANT = re.compile(r"^constexpr (bool \w+\()", re.MULTILINE)
PREDICATE = re.compile(r"(?:return|const bool \w+ =)\s")


@dataclass
class Mutant:
    number: int
    file: str
    line: int
    kind: str  # refusal, check, predicate
    text: str  # The source that is taken out, in one line.

    @property
    def key(self):
        return f"{self.file}: {self.text}"


def skip(source, at):
    """The place behind the comment, string or character that begins at `at`, or `at` when none does."""
    two = source[at:at + 2]
    if two == "//":
        end = source.find("\n", at)
        return len(source) if end == -1 else end
    if two == "/*":
        return source.find("*/", at) + 2
    if source.startswith('R"', at):
        end = source.index("(", at)
        return source.index(")" + source[at + 2:end] + '"', at) + end - at
    quote = source[at]
    if quote not in "\"'" or (quote == "'" and at and source[at - 1].isalnum()):  # 1'000 is a number.
        return at
    at += 1
    while source[at] != quote:
        at += 2 if source[at] == "\\" else 1
    return at + 1


def closing(source, at):
    """The place of the bracket that closes the one at `at`."""
    depth = 0
    while True:
        behind = skip(source, at)
        if behind != at:
            at = behind
            continue
        if source[at] in "([{":
            depth += 1
        elif source[at] in ")]}":
            depth -= 1
            if depth == 0:
                return at
        at += 1


def split(text, separator):
    """The parts of `text` between the separators that stand in no bracket."""
    parts, begin, at, depth = [], 0, 0, 0
    while at < len(text):
        behind = skip(text, at)
        if behind != at:
            at = behind
            continue
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(separator, at):
            parts.append(text[begin:at])
            at += len(separator)
            begin = at
            continue
        at += 1
    return [*parts, text[begin:]]


def statement_end(source, at):
    """The place of the semicolon that ends the statement at `at`."""
    while source[at] != ";":
        behind = skip(source, at)
        if behind != at:
            at = behind
        elif source[at] in "([{":
            at = closing(source, at) + 1
        else:
            at += 1
    return at


def one_line(text):
    return " ".join(text.split())


class File:
    """One source and its mutants."""

    def __init__(self, name, source, first):
        self.name, self.source, self.first = name, source, first
        self.mutants = []
        self.edits = []  # (begin, end, text)

    def mutate(self):
        at = 0
        while at < len(self.source):
            behind = skip(self.source, at)
            if behind != at:
                at = behind
                continue
            if at == 0 or not (self.source[at - 1].isalnum() or self.source[at - 1] == "_"):
                if self.source.startswith("if (", at):
                    self.take_refusal(at)
                elif CHECK.match(self.source, at):
                    self.take_check(at)
                elif PREDICATE.match(self.source, at):
                    self.take_predicate(at)
            at += 1
        source = self.source
        for begin, end, text in sorted(self.edits, reverse=True):
            source = source[:begin] + text + source[end:]
        return CONSTANT.sub(r"\1", source)  # The switch is read at run time.

    def add(self, at, kind, text):
        number = self.first + len(self.mutants)
        self.mutants.append(Mutant(number, self.name, self.source.count("\n", 0, at) + 1, kind, one_line(text)))
        return number

    def without(self, at, kind, parts, joint, value):
        """The condition with each of its parts behind a switch."""
        changed = []
        for part in parts:
            number = self.add(at, kind, part)
            changed.append(f"(sealift_mutant({number}) ? {value} : static_cast<bool>({part.strip()}))")
        return joint.join(changed)

    def take_refusal(self, at):
        begin = at + len("if (")
        end = closing(self.source, begin - 1)
        body = self.source[end + 1:].lstrip("{ \n")
        if not REFUSAL.match(body):
            return
        *before, condition = split(self.source[begin:end], ";")
        declared = DECLARATION.match(condition.strip()) if not before else None
        if declared:
            before, condition = [condition], declared.group(1)
        text = self.without(at, "refusal", split(condition, "||"), " || ", "false")
        self.edits.append((begin, end, "".join(part + "; " for part in before) + text))

    def take_check(self, at):
        end = statement_end(self.source, at)
        number = self.add(at, "check", self.source[at:end])
        self.edits.append((at, at, f"if (!sealift_mutant({number})) "))

    def take_predicate(self, at):
        begin = PREDICATE.match(self.source, at).end()
        end = statement_end(self.source, at)
        parts = split(self.source[begin:end], "&&")
        is_inside = any(edit[0] <= begin < edit[1] for edit in self.edits)
        if is_inside or len(parts) < 2 or any("[" in part or "?" in part or len(split(part, "||")) > 1 for part in parts):
            return
        self.edits.append((begin, end, self.without(at, "predicate", parts, " && ", "true")))
