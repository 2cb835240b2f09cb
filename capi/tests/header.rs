//! `include/atrest.h` is what capi/src and the list of codes make of it today. `ATREST_BLESS=1` writes it anew.
//!
//! cbindgen turns each item into C. Here they are put in the order of the source, with a heading for each module, into
//! the lines of header.h.in; the statuses come from `Code::ALL`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use atrest::Code;

const CAPI: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn header_is_current() {
    let generated = header();
    let path = Path::new(CAPI).join("../include/atrest.h");
    if std::env::var_os("ATREST_BLESS").is_some() {
        fs::write(&path, &generated).expect("include/atrest.h is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/atrest.h is stale; write it anew with: ATREST_BLESS=1 cargo test -p atrest-capi --test header"
    );
}

/// cbindgen copies literals alone, so that Cargo.toml cannot give the version.
#[test]
fn version_is_that_of_cargo_toml() {
    let header = include_str!("../../include/atrest.h");
    for (name, value) in [
        ("", concat!('"', env!("CARGO_PKG_VERSION"), '"')),
        ("_MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("_MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("_PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        let line = format!("#define ATREST_VERSION{name} {value}");
        assert!(header.lines().any(|found| found == line), "include/atrest.h has no line {line}");
    }
    let package = include_str!("../../cmake/atrest-config-version.cmake");
    let line = concat!("set(PACKAGE_VERSION \"", env!("CARGO_PKG_VERSION"), "\")");
    assert!(package.lines().any(|found| found == line), "the CMake package has no line {line}");
}

/// Whoever reads the header from its beginning knows what each name means.
#[test]
fn header_is_in_reading_order() {
    let header = header();
    let order = [
        "#define ATREST_VERSION ",
        "atrest_status_message(",
        "atrest_status atrest_xts_new(",
        "void atrest_xts_free(",
        "atrest_status atrest_xts_encrypt_sectors(",
        "atrest_status atrest_xts_init(",
        "atrest_status atrest_xts_encrypt_iov(",
        "ATREST_LAYOUT_PLAIN64 = 0",
        "atrest_status atrest_selftest(",
        "atrest_status atrest_providers_new(",
        "atrest_status atrest_volume_open(",
        "atrest_status atrest_volume_read(",
        "atrest_status atrest_envelope_create(",
        "ATREST_OK = 0",
    ];
    // The introduction names some of them, too.
    let mut behind = header.find("#ifndef ATREST_H").expect("a guard");
    for text in order {
        let place = header[behind..].find(text).unwrap_or_else(|| panic!("{text} is not behind the others"));
        behind += place;
    }
    for code in Code::ALL {
        assert!(header.contains(&format!(" {} = {}", enumerator(*code), code.number())), "{code}");
    }
}

fn header() -> String {
    let frame = include_str!("../header.h.in");
    let frame = frame.replace("@ITEMS@", items().trim()).replace("@STATUSES@", statuses().trim());
    as_c89_has_it(&frame)
}

/// The items in order of the source, under the headings of their modules.
fn items() -> String {
    let config = cbindgen::Config::from_file(Path::new(CAPI).join("cbindgen.toml")).expect("cbindgen.toml");
    let builder = cbindgen::Builder::new().with_config(config).with_src(Path::new(CAPI).join("src/lib.rs"));
    let mut generated = Vec::new();
    builder.generate().expect("cbindgen accepts capi/src").write(&mut generated);
    let generated = String::from_utf8(generated).expect("UTF-8");
    let mut items: Vec<Item> = chunks(&generated).iter().filter_map(|chunk| Item::new(chunk)).collect();

    let mut modules = Vec::new();
    add_modules(&Path::new(CAPI).join("src/lib.rs"), &mut modules);
    let mut out = String::new();
    let mut guard = "";
    for module in &modules {
        let mut of_module: Vec<(usize, &Item)> =
            items.iter().filter_map(|item| Some((module.place_of(&item.name)?, item))).collect();
        of_module.sort_by_key(|&(place, _)| place);
        for (i, (_, item)) in of_module.iter().enumerate() {
            if item.guard != guard {
                if !guard.is_empty() {
                    writeln!(out, "#endif /* {} */\n", &guard["#if ".len()..]).unwrap();
                }
                if !item.guard.is_empty() {
                    writeln!(out, "{}\n", item.guard).unwrap();
                }
                guard = &item.guard;
            }
            if i == 0 {
                writeln!(out, "{}", module.heading()).unwrap();
            }
            writeln!(out, "{}\n", item.text).unwrap();
        }
    }
    if !guard.is_empty() {
        writeln!(out, "#endif /* {} */", &guard["#if ".len()..]).unwrap();
    }
    items.retain(|item| modules.iter().all(|module| module.place_of(&item.name).is_none()));
    assert!(items.is_empty(), "no module of capi/src/lib.rs has {}", items[0].name);
    out
}

/// A declaration with its comment, and the condition under which it is shown.
struct Item {
    name: String,
    guard: String,
    text: String,
}

impl Item {
    /// `None` for what is no declaration.
    fn new(chunk: &str) -> Option<Item> {
        let mut lines: Vec<&str> = chunk.lines().collect();
        let mut guard = "";
        if lines[0].starts_with("#if") && lines[0].contains("ATREST_WITH_") {
            guard = lines.remove(0);
            assert_eq!(lines.pop(), Some("#endif"), "{chunk}");
        }
        if lines[0].starts_with("#ifdef __cplusplus") {
            return None;
        }
        let text = with_comments_as_here(&lines);
        let code = without_comments(&lines.join("\n"));
        let name = code
            .lines()
            .find_map(|line| {
                let line = line.trim();
                let rest = line.strip_prefix("#define ").or(line.strip_prefix("enum "));
                match (rest, line.split_once('(')) {
                    (Some(rest), _) => rest.split(' ').next(),
                    (_, Some((before, _))) => before.rsplit([' ', '*']).next(),
                    _ => line.strip_prefix("typedef ").map(|_| ""),
                }
            })
            .unwrap_or_else(|| panic!("no name in:\n{chunk}"));
        let name = match name {
            // The name of a type is the last one.
            "" => code.trim_end().trim_end_matches(';').rsplit([' ', '}']).next().expect("a word"),
            name => name,
        };
        let text = with_short_arguments(&text.replace("\nATREST_MUST_USE ", "\nATREST_MUST_USE\n"));
        let text = match name {
            "atrest_status" => text.replace("typedef int32_t atrest_status;", STATUS),
            "ATREST_VERSION_PATCH" => format!("{text}\n{}", VERSION),
            _ => text,
        };
        // Without the parentheses around a conjunction.
        let guard = guard.replacen("#if (", "#if ", 1).replace("))", ")");
        Some(Item { name: name.to_owned(), guard, text })
    }
}

/// A type before its enumerators, which C++ and C23 take where it has a size; older C has a number.
const STATUS: &str = "\
#ifdef __cplusplus
enum atrest_status : int32_t;
#elif __STDC_VERSION__ >= 202311L
enum atrest_status : int32_t;
typedef enum atrest_status atrest_status;
#else
typedef int32_t atrest_status;
#endif";

const VERSION: &str = concat!(
    "/* The same as a string, and as one number, as atrest_version_number() has it. */\n#define ATREST_VERSION \"",
    env!("CARGO_PKG_VERSION"),
    "\"\n#define ATREST_VERSION_NUMBER \
     (ATREST_VERSION_MAJOR * 1000000 + ATREST_VERSION_MINOR * 1000 + ATREST_VERSION_PATCH)"
);

/// What stands between blank lines, outside of comments and braces.
fn chunks(code: &str) -> Vec<String> {
    let (mut chunks, mut chunk) = (Vec::new(), String::new());
    let (mut in_comment, mut depth) = (false, 0);
    for line in code.lines() {
        if line.trim().is_empty() && !in_comment && depth == 0 {
            chunks.push(std::mem::take(&mut chunk));
            continue;
        }
        in_comment = (in_comment || line.trim_start().starts_with("/*")) && !line.contains("*/");
        // The brace of extern "C" holds everything.
        if !in_comment && !line.contains("extern") && !line.starts_with("} //") {
            depth += line.matches('{').count();
            depth -= line.matches('}').count();
        }
        chunk.push_str(line);
        chunk.push('\n');
    }
    chunks.push(chunk);
    chunks.retain(|chunk| !chunk.trim().is_empty() && !chunk.starts_with("} //"));
    chunks
}

/// Comments as C programmers write them, without what speaks to Rust's reviewers: the sections `# Safety`.
fn with_comments_as_here(lines: &[&str]) -> String {
    let mut out = String::new();
    let mut comment: Option<Vec<&str>> = None;
    for line in lines {
        let indent = &line[..line.len() - line.trim_start().len()];
        match &mut comment {
            None if line.trim() == "/*" => comment = Some(Vec::new()),
            None => writeln!(out, "{line}").unwrap(),
            Some(text) if line.trim() == "*/" => {
                let indent = &indent[1..];
                let end = text
                    .iter()
                    .position(|line| line.trim_start().starts_with("# Safety"))
                    .unwrap_or(text.len());
                let mut text: Vec<&str> = text[..end].to_vec();
                while text.last().is_some_and(|line| line.trim().is_empty()) {
                    text.pop();
                }
                put_comment(&mut out, indent, &text);
                comment = None;
            }
            Some(text) => text.push(
                line.get(indent.len().min(if out.is_empty() { 1 } else { indent.len() })..).unwrap_or(""),
            ),
        }
    }
    out.trim_end().to_owned()
}

/// Declarations on one line where they fit.
fn with_short_arguments(text: &str) -> String {
    let Some(start) = text.rfind("(").and_then(|end| text[..end].rfind('\n')).map(|end| end + 1) else {
        return text.to_owned();
    };
    let joined = text[start..].split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.ends_with(");") && joined.len() <= 110 {
        format!("{}{joined}", &text[..start])
    } else {
        text.to_owned()
    }
}

fn put_comment(out: &mut String, indent: &str, text: &[&str]) {
    match text {
        [] => {}
        [one] if indent.len() + one.len() + 6 <= 120 => writeln!(out, "{indent}/* {one} */").unwrap(),
        lines => {
            writeln!(out, "{indent}/*").unwrap();
            for line in lines {
                writeln!(out, "{}", format!("{indent} * {line}").trim_end()).unwrap();
            }
            writeln!(out, "{indent} */").unwrap();
        }
    }
}

fn without_comments(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").expect("each comment ends").1;
    }
    out + rest
}

/// A module's source, and what its `//!` says.
struct Module {
    source: String,
}

impl Module {
    /// Where the source defines a name of C's.
    fn place_of(&self, name: &str) -> Option<usize> {
        [
            format!(" fn {name}("),
            format!("struct {name} {{"),
            format!("struct {name}("),
            format!("enum {name} {{"),
            format!("const {name}:"),
        ]
        .iter()
        .find_map(|definition| self.source.find(definition.as_str()))
    }

    fn heading(&self) -> String {
        let line = "-".repeat(100);
        let mut out = format!("/* {line}\n");
        for text in self.source.lines().map_while(|line| line.strip_prefix("//!")) {
            writeln!(out, "{}", format!(" * {}", text.trim()).trim_end()).unwrap();
        }
        writeln!(out, " * {line} */").unwrap();
        out
    }
}

/// Adds the modules of a file in their order, each before those in it.
fn add_modules(file: &Path, modules: &mut Vec<Module>) {
    let source = fs::read_to_string(file).expect("a file of capi/src");
    let directory: PathBuf = file.parent().expect("a file in a directory").into();
    for line in source.lines() {
        let Some(name) = line.strip_prefix("mod ").and_then(|line| line.strip_suffix(';')) else { continue };
        let flat = directory.join(format!("{name}.rs"));
        let file = if flat.exists() { flat } else { directory.join(name).join("mod.rs") };
        modules.push(Module { source: fs::read_to_string(&file).expect("a module of capi/src") });
        if file.ends_with("mod.rs") {
            add_modules(&file, modules);
        }
    }
}

/// `ATREST_OK`, `ATREST_ERROR_KEY_NAME`.
fn enumerator(code: Code) -> String {
    let name = code.name().to_uppercase();
    if code == Code::Ok { format!("ATREST_{name}") } else { format!("ATREST_ERROR_{name}") }
}

fn statuses() -> String {
    let line = "-".repeat(100);
    let mut out = format!("/* {line}\n * All statuses\n * {line} */\n\nenum atrest_status\n");
    out.push_str("#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L\n  : int32_t\n#endif\n{\n");
    for &code in Code::ALL {
        let text: Vec<&str> = code.meaning().iter().map(|line| line.trim()).collect();
        put_comment(&mut out, "  ", &text);
        writeln!(out, "  {} = {},", enumerator(code), code.number()).unwrap();
    }
    out + "};\n"
}

/// C89 has neither comments that end with the line nor a comma behind the last enumerator.
fn as_c89_has_it(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in header.lines() {
        if line.trim_start() == "};"
            && let Some(last) = lines.last_mut()
            && last.ends_with(',')
        {
            last.pop();
        }
        lines.push(match line.split_once(" // ") {
            Some((code, comment)) if line.starts_with(['#', '}']) => {
                format!("{} /* {comment} */", code.trim_end())
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n") + "\n"
}
