"""Go templates of ApplicationSets: whether Argo CD's engine could render them over a cluster Secret.

Not an engine: it tells the words, fields and blocks of a template apart, and knows which of them exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stacks.model.errors import did_you_mean

# https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators-Cluster/
PARAMETERS = ("name", "nameNormalized", "server", "project", "metadata")
_KEYWORDS = {"if", "else", "end", "range", "with", "nil", "true", "false", "break", "continue"}
_OPENING = {"if", "range", "with"}
_MOVING = {"range", "with"}
_NOT_HERE = {"define", "template", "block"}
# https://pkg.go.dev/text/template#hdr-Functions
_BUILTIN = "and call html index slice js len not or print printf println urlquery eq ge gt le lt ne"
# https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/: all of sprig but three, and more.
_ARGOCD = "normalize slugify toYaml fromYaml fromYamlArray"
_REMOVED = {"env", "expandenv", "getHostByName"}
# https://masterminds.github.io/sprig/, as sprig v3.3 has them (func_map.go).
_SPRIG = """
hello ago date date_in_zone date_modify dateInZone dateModify duration durationRound htmlDate htmlDateInZone
must_date_modify mustDateModify mustToDate now toDate unixEpoch abbrev abbrevboth trunc trim upper lower title untitle
substr repeat trimall trimAll trimSuffix trimPrefix nospace initials randAlphaNum randAlpha randAscii randNumeric
randBytes swapcase shuffle snakecase camelcase kebabcase wrap wrapWith contains hasPrefix hasSuffix quote squote cat
indent nindent replace plural sha1sum sha256sum sha512sum adler32sum toString atoi int64 int float64 seq toDecimal
split splitList splitn toStrings until untilStep add1 add sub div mod mul randInt add1f addf subf divf mulf biggest max
min maxf minf ceil floor round join sortAlpha default empty coalesce all any compact mustCompact fromJson toJson
toPrettyJson toRawJson mustFromJson mustToJson mustToPrettyJson mustToRawJson ternary deepCopy mustDeepCopy typeOf
typeIs typeIsLike kindOf kindIs deepEqual base dir clean ext isAbs osBase osClean osDir osExt osIsAbs b64enc b64dec
b32enc b32dec tuple list dict get set unset hasKey pluck keys pick omit merge mergeOverwrite mustMerge
mustMergeOverwrite values append push mustAppend mustPush prepend mustPrepend first mustFirst rest mustRest last
mustLast initial mustInitial reverse mustReverse uniq mustUniq without mustWithout has mustHas slice mustSlice concat
dig chunk mustChunk bcrypt htpasswd genPrivateKey derivePassword buildCustomCert genCA genCAWithKey genSelfSignedCert
genSelfSignedCertWithKey genSignedCert genSignedCertWithKey encryptAES decryptAES randBytes uuidv4 semver
semverCompare fail regexMatch mustRegexMatch regexFindAll mustRegexFindAll regexFind mustRegexFind regexReplaceAll
mustRegexReplaceAll regexReplaceAllLiteral mustRegexReplaceAllLiteral regexSplit mustRegexSplit regexQuoteMeta
urlParse urlJoin
"""
LONGEST = 4000
FUNCTIONS = frozenset(f"{_BUILTIN} {_ARGOCD} {_SPRIG}".split())

ACTION = re.compile(
    r"""\{\{(?P<body>(?:/\*.*?\*/|-\s/\*.*?\*/\s-|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|(?!/\*)[^"'`{}])*)\}\}""",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])*')
      | (?P<variable>\$\w*(?:\.\w+)*)
      | (?P<field>(?<![\w)])\.(?:\w+(?:\.\w+)*)?)
      | (?P<chained>\.\w+(?:\.\w+)*)
      | (?P<number>[-+]?\d[\w.+]*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>:=|=|\||,|\(|\))
      | (?P<blank>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass
class _Block:
    word: str
    moved: bool


def problems(template: str) -> Iterator[str]:
    """Why Argo CD could not render `template`, in words that say what to write instead."""
    if len(template) > LONGEST:
        yield f"is longer than {LONGEST} characters"
        return
    actions = list(_actions(template))
    if None in actions:
        yield f'"{template}" has a `{{{{` or `}}}}` without its other half; write e.g. "{{{{.name}}}}"'
        return
    blocks: list[_Block] = []
    variables = {"$"}
    for found in filter(None, actions):
        said = _action(found["body"], blocks, variables)
        if said:
            yield f"`{found[0]}` {said}"
            return
    if blocks:
        yield f'"{template}" has a `{blocks[-1].word}` without its `end`; add "{{{{end}}}}"'


def _actions(template: str) -> Iterator[re.Match[str] | None]:
    """Every action of `template`, as Go takes it apart; None where one has no end, or no beginning."""
    place = 0
    while (begin := template.find("{{", place)) >= 0:
        found = ACTION.match(template, begin)
        if not found or "}}" in template[place:begin]:
            yield None
            return
        yield found
        place = found.end()
    if "}}" in template[place:]:
        yield None


def _action(body: str, blocks: list[_Block], variables: set[str]) -> str:
    """What is wrong with one action, empty where nothing is; follows the blocks and variables that it begins."""
    body = re.sub(r"^-\s|\s-$", " ", body)
    if re.fullmatch(r"\s*/\*.*?\*/\s*", body, re.DOTALL):
        return ""
    if not body.strip():
        return "is empty; write e.g. `{{.name}}`"
    if legacy := _legacy(body.strip()):
        return legacy
    if dashed := re.search(
        r"(?<![\w\"`'])(\$?\.[\w.]*?)\.?(\w+(?:-\w+)+)(?!\()", _without_texts(body)
    ):
        return (
            f"reads `{dashed[2]}`, and a name with a dash goes by `index`: write "
            f'`index {dashed[1] or "."} "{dashed[2]}"`'
        )
    tokens = [found for found in _TOKEN.finditer(body) if not found["blank"]]
    moved = any(block.moved for block in blocks)
    for place, token in enumerate(tokens):
        if token["other"]:
            return f"has a `{token['other']}`, which no template knows; take it out"
        if token["word"] and (said := _word(token["word"], place, blocks)):
            return said
        if token["variable"]:
            name = token["variable"].partition(".")[0]
            declares = place + 1 < len(tokens) and tokens[place + 1]["sign"] in (":=", ",")
            if declares:
                variables.add(name)
            elif name not in variables:
                return f"reads the variable `{name}`, which nothing sets"
            if name == "$" and (said := _parameter(token["variable"][1:])):
                return said
        if token["field"] and not moved and (said := _parameter(token["field"])):
            return said
    return ""


def _legacy(body: str) -> str:
    """Whether an action is of the syntax that ApplicationSets had before Go templates."""
    head = body.partition(".")[0]
    if not re.fullmatch(r"[A-Za-z_][\w./-]*", body) or body in _KEYWORDS or body in FUNCTIONS:
        return ""
    if head not in (*PARAMETERS, "values", "path", "metadata") and "." not in body:
        return ""
    label = re.fullmatch(r"metadata\.(labels|annotations)\.(.+)", body)
    if label and not re.fullmatch(r"\w+", label[2]):
        return f'lacks the dot of Go templates: write `{{{{index .metadata.{label[1]} "{label[2]}"}}}}`'
    return f"lacks the dot of Go templates: write `{{{{.{body}}}}}`"


def _word(word: str, place: int, blocks: list[_Block]) -> str:
    if word in _NOT_HERE:
        return f"has `{word}`, for which there is no place here; write it out"
    if word == "end":
        if not blocks:
            return "ends what nothing began; take it out"
        blocks.pop()
    elif word == "else":
        if not blocks:
            return "has an `else` without its `if`"
    elif word in _OPENING:
        # "else if" goes on with the block that is open.
        if place == 0:
            blocks.append(_Block(word, word in _MOVING))
    elif word in _REMOVED:
        return f"calls `{word}`, which Argo CD leaves out: it would tell of the hub; put a label on the spokes instead"
    elif word not in _KEYWORDS and word not in FUNCTIONS:
        return f"calls `{word}`, and there is no such function{did_you_mean(word, FUNCTIONS)}"
    return ""


def _parameter(field: str) -> str:
    """What is wrong with a field of the whole, such as `.metadata.labels.region`."""
    parts = field.split(".")[1:]
    if not parts or not parts[0]:
        return ""
    if parts[0] not in PARAMETERS:
        return (
            f"reads `.{parts[0]}`, and there is only {', '.join(f'.{one}' for one in PARAMETERS)}"
            f"{did_you_mean(parts[0], PARAMETERS)}"
        )
    if parts[0] == "metadata" and len(parts) > 1 and parts[1] not in ("labels", "annotations"):
        return f"reads `.metadata.{parts[1]}`, and there is only .metadata.labels and .metadata.annotations"
    if parts[0] != "metadata" and len(parts) > 1:
        return f"reads `{field}`, and `.{parts[0]}` is a text without parts"
    return ""


def _without_texts(body: str) -> str:
    return re.sub(
        r'"(?:\\.|[^"\\])*"|`[^`]*`', lambda found: '"' + "x" * (len(found[0]) - 2) + '"', body
    )
