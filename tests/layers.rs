//! The layers of the house, read from its source: what a module may import, which features it may ask for, and that no two
//! files need each other. An import that runs up fails here; so does a text of the library that names what only the command
//! has.
//!
//! The scanner knows as much of Rust as that takes: comments, strings, `use` trees, `crate::`, `self::` and `super::` paths,
//! paths that begin with a child module, re-exports, and what is compiled for tests alone, which is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of the library, each with those below it that it may import, and with the features that it may ask for.
/// What everybody may use: `code`, and the small modules that stand on nothing.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("code", &[], &[]),
    ("environment", &[], &[]),
    ("fork", &[], &[]),
    ("stack", &[], &[]),
    ("waiting", &[], &["volume"]),
    ("xts::simd", BASE, &["std", "unstable-limit"]),
    ("text", &[], &[]),
    (
        "xts",
        &["code", "environment", "fork", "stack", "text", "xts::simd"],
        &["std", "rayon", "unstable-limit"],
    ),
    ("keys", BASE, &["std", "keys"]),
    ("luks2", BASE, &["std"]),
    ("storage", BASE, &["std"]),
    (
        "volume",
        &[
            "code",
            "environment",
            "fork",
            "stack",
            "text",
            "waiting",
            "xts",
            "xts::simd",
            "keys",
            "luks2",
            "storage",
        ],
        &["std", "rayon", "volume"],
    ),
];

const BASE: &[&str] = &["code", "environment", "fork", "stack", "text", "waiting"];

/// The packages, each with the other packages of the workspace that it may depend on.
const PACKAGES: &[(&str, &[&str])] = &[
    (".", &[]),
    ("providers/aws-kms", &["atrest"]),
    ("capi", &["atrest", "atrest-aws-kms"]),
    ("cli", &["atrest", "atrest-aws-kms"]),
];

/// What is wrong today. Nothing is added here; what is mended has to go.
const KNOWN: &[&str] = &[];

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

impl Token {
    fn is(&self, mark: char) -> bool {
        *self == Token::Mark(mark)
    }

    fn word(&self) -> Option<&str> {
        match self {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The words, strings and marks of a source text, without its comments.
fn tokens(source: &str) -> Vec<Token> {
    let text: Vec<char> = source.chars().collect();
    let at = |i: usize| text.get(i).copied().unwrap_or('\0');
    let mut found = Vec::new();
    let mut i = 0;
    while i < text.len() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < text.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= text.len() {
                        break;
                    }
                }
            }
            '"' => {
                let begin = i + 1;
                i = begin;
                while i < text.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                found.push(Token::Text(text[begin..i.min(text.len())].iter().collect()));
                i += 1;
            }
            // A character; else a lifetime or a label.
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < text.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            c if is_word(c) => {
                let begin = i;
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = text[begin..i].iter().collect();
                let hashes = (i..).take_while(|&i| at(i) == '#').count();
                // r"...", br#"..."#; not r#raw_names.
                if matches!(&*word, "r" | "br" | "cr") && at(i + hashes) == '"' {
                    let begin = i + hashes + 1;
                    i = begin;
                    while i < text.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                        i += 1;
                    }
                    found.push(Token::Text(text[begin..i.min(text.len())].iter().collect()));
                    i += hashes + 1;
                } else {
                    found.push(Token::Word(word));
                }
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token::Mark(c));
                }
                i += 1;
            }
        }
    }
    found
}

/// Behind the bracket at `from` and all that is in it.
fn behind_bracket(tokens: &[Token], from: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(from) {
        match token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// What is there without tests, and the modules in files of their own that are there for tests alone.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut files, mut i) = (Vec::new(), Vec::new(), 0);
    while i < tokens.len() {
        let is_attribute = |i: usize| {
            tokens.get(i).is_some_and(|token| token.is('#'))
                && tokens.get(i + 1).is_some_and(|token| token.is('['))
        };
        if !is_attribute(i) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let end = behind_bracket(tokens, i + 1);
        let words: Vec<&str> = tokens[i..end].iter().filter_map(Token::word).collect();
        if !matches!(words[..], ["test"] | ["cfg", "test"] | ["cfg", "all", "test", ..]) {
            kept.extend_from_slice(&tokens[i..end]);
            i = end;
            continue;
        }
        i = end;
        while is_attribute(i) {
            i = behind_bracket(tokens, i + 1);
        }
        // To the end of the item, or of the field.
        let begin = i;
        while i < tokens.len() && !matches!(tokens[i], Token::Mark(';' | ',' | '}')) {
            let block = tokens[i].is('{');
            i = if matches!(tokens[i], Token::Mark('(' | '[' | '{')) {
                behind_bracket(tokens, i)
            } else {
                i + 1
            };
            if block {
                break;
            }
        }
        let item = &tokens[begin..i];
        if let Some(at) = item.iter().position(|token| token.word() == Some("mod"))
            && !item.iter().any(|token| token.is('{'))
            && let Some(name) = item.get(at + 1).and_then(Token::word)
        {
            files.push(name.to_owned());
        }
        if tokens.get(i).is_some_and(|token| matches!(token, Token::Mark(';' | ','))) {
            i += 1;
        }
    }
    (kept, files)
}

/// A file: its module, and what it says of others. Paths are from the crate's root.
#[derive(Default)]
struct File {
    path: String,
    module: Vec<String>,
    features: BTreeSet<String>,
    texts: Vec<String>,
    /// What it uses.
    uses: BTreeSet<Vec<String>>,
    /// Names that it makes others find here, and what they lead to; `*` for all.
    exports: Vec<(String, Vec<String>)>,
    test_modules: Vec<String>,
}

impl File {
    fn read(path: &str, module: Vec<String>, source: &str) -> File {
        let (tokens, test_modules) = without_tests(&tokens(source));
        let mut file = File { path: path.to_owned(), module, test_modules, ..File::default() };
        let children: BTreeSet<String> = tokens
            .windows(2)
            .filter(|pair| pair[0].word() == Some("mod"))
            .filter_map(|pair| pair[1].word().map(str::to_owned))
            .collect();
        // Modules within the file, each with the depth of braces at which it ends.
        let (mut inner, mut depth) = (Vec::<(String, i32)>::new(), 0);
        let mut i = 0;
        while i < tokens.len() {
            let word = |i: usize| tokens.get(i).and_then(Token::word);
            let mark = |i: usize, mark: char| tokens.get(i).is_some_and(|token| token.is(mark));
            let here: Vec<String> =
                file.module.iter().cloned().chain(inner.iter().map(|(name, _)| name.clone())).collect();
            match &tokens[i] {
                Token::Mark('{') => depth += 1,
                Token::Mark('}') => {
                    depth -= 1;
                    while inner.last().is_some_and(|(_, end)| *end == depth) {
                        inner.pop();
                    }
                }
                Token::Text(text) => file.texts.push(text.clone()),
                Token::Word(name) => match &**name {
                    "mod" if mark(i + 2, '{') => {
                        inner.push((word(i + 1).unwrap_or_default().to_owned(), depth));
                    }
                    "feature" if mark(i + 1, '=') => {
                        if let Some(Token::Text(feature)) = tokens.get(i + 2) {
                            file.features.insert(feature.clone());
                        }
                    }
                    "pub" if mark(i + 1, '(') => {
                        i = behind_bracket(&tokens, i + 1);
                        if word(i) == Some("use") {
                            i = file.tree(&tokens, i + 1, &here, &children, true);
                        }
                        continue;
                    }
                    "pub" if word(i + 1) == Some("use") => {
                        i = file.tree(&tokens, i + 2, &here, &children, true);
                        continue;
                    }
                    "use" if !mark(i + 1, '<') => {
                        i = file.tree(&tokens, i + 1, &here, &children, false);
                        continue;
                    }
                    first
                        if mark(i + 1, ':')
                            && mark(i + 2, ':')
                            && !(i >= 2 && mark(i - 1, ':') && mark(i - 2, ':'))
                            && !(i >= 1 && mark(i - 1, '.'))
                            && (matches!(first, "crate" | "self" | "super") || children.contains(first)) =>
                    {
                        let mut segments = vec![first.to_owned()];
                        while mark(i + 1, ':') && mark(i + 2, ':') {
                            let Some(next) = word(i + 3) else { break };
                            segments.push(next.to_owned());
                            i += 3;
                        }
                        file.uses.extend(absolute(&segments, &here, &children));
                    }
                    _ => {}
                },
                Token::Mark(_) => {}
            }
            i += 1;
        }
        file
    }

    /// Reads a `use` tree, and returns where it ends.
    fn tree(
        &mut self,
        tokens: &[Token],
        begin: usize,
        here: &[String],
        children: &BTreeSet<String>,
        export: bool,
    ) -> usize {
        let end = (begin..tokens.len()).find(|&i| tokens[i].is(';')).unwrap_or(tokens.len());
        // The paths that the open braces belong to, and the one that is being read.
        let (mut open, mut path) = (Vec::<Vec<String>>::new(), Vec::<String>::new());
        let mut renamed = None;
        let mut leaf = |path: &mut Vec<String>, renamed: &mut Option<String>, outer: usize| {
            if path.len() > outer || renamed.is_some() {
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                if let Some(target) = absolute(path, here, children) {
                    let name = renamed.take().unwrap_or_else(|| path.last().cloned().unwrap_or_default());
                    self.exports.push((name, target.clone()));
                    if !export {
                        self.uses.insert(target);
                    }
                }
            }
            *renamed = None;
        };
        let mut i = begin;
        while i < end {
            match &tokens[i] {
                Token::Word(word) if word == "as" => {
                    renamed = tokens.get(i + 1).and_then(Token::word).map(str::to_owned);
                    i += 1;
                }
                Token::Word(word) => path.push(word.clone()),
                Token::Mark('*') => path.push("*".to_owned()),
                Token::Mark('{') => open.push(path.clone()),
                Token::Mark(',') => {
                    leaf(&mut path, &mut renamed, open.last().map_or(0, Vec::len));
                    path = open.last().cloned().unwrap_or_default();
                }
                Token::Mark('}') => {
                    leaf(&mut path, &mut renamed, open.last().map_or(0, Vec::len));
                    // What follows is the end of the outer one's leaf, which is read already.
                    open.pop();
                    path = open.last().cloned().unwrap_or_default();
                }
                Token::Mark(_) | Token::Text(_) => {}
            }
            i += 1;
        }
        leaf(&mut path, &mut renamed, 0);
        end + 1
    }
}

/// A path from the crate's root; `None` where it leads to another crate.
fn absolute(path: &[String], here: &[String], children: &BTreeSet<String>) -> Option<Vec<String>> {
    let mut base = match path.first()?.as_str() {
        "crate" => return Some(path[1..].to_vec()),
        "self" | "super" => here.to_vec(),
        first if children.contains(first) => return Some([here, path].concat()),
        _ => return None,
    };
    let mut rest = path;
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "self" => {}
            "super" => drop(base.pop()),
            _ => break,
        }
        rest = others;
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// All files of a crate, by module.
struct Crate(BTreeMap<Vec<String>, File>);

impl Crate {
    /// From files by their path below `src`, the directory `root`.
    fn new<'a>(root: &str, sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Crate {
        let mut files = BTreeMap::new();
        for (path, source) in sources {
            let mut module: Vec<String> =
                path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                module.pop();
            }
            files.insert(module.clone(), File::read(&format!("{root}/{path}"), module, source));
        }
        let tests: Vec<Vec<String>> = files
            .values()
            .flat_map(|file| {
                file.test_modules.iter().map(|name| [&file.module[..], std::slice::from_ref(name)].concat())
            })
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Crate(files)
    }

    fn read(root: &str) -> Crate {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
        let mut sources = Vec::new();
        let mut open = vec![top.clone()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned();
                    sources.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        Crate::new(root, sources.iter().map(|(name, source)| (&**name, &**source)))
    }

    /// The module in whose file this is defined, through re-exports.
    fn resolve(&self, path: &[String], depth: usize) -> Vec<String> {
        let length = (0..=path.len()).rev().find(|&length| self.0.contains_key(&path[..length])).unwrap_or(0);
        let (module, rest) = path.split_at(length);
        let (Some(file), Some(name)) = (self.0.get(module), rest.first()) else { return module.to_vec() };
        if depth > 0 {
            if let Some((_, target)) = file.exports.iter().find(|(exported, _)| exported == name) {
                return self.resolve(&[&target[..], &rest[1..]].concat(), depth - 1);
            }
            for (_, target) in file.exports.iter().filter(|(exported, _)| exported == "*") {
                let from = &target[..target.len() - 1];
                let found = self.resolve(&[from, rest].concat(), depth - 1);
                if self
                    .0
                    .get(from)
                    .is_some_and(|file| file.exports.iter().any(|(exported, _)| exported == name))
                {
                    return found;
                }
            }
        }
        module.to_vec()
    }

    /// The other files that a file needs, by module.
    fn needs(&self, file: &File) -> BTreeSet<Vec<String>> {
        let mut found: BTreeSet<Vec<String>> = file.uses.iter().map(|path| self.resolve(path, 8)).collect();
        found.remove(&file.module);
        found
    }

    /// Imports and features that run up.
    fn runs_up(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for file in self.0.values().filter(|file| !file.module.is_empty()) {
            let layer = layer(&file.module);
            let Some((_, below, features)) = LAYERS.iter().find(|(name, ..)| *name == layer) else {
                wrong.push(format!("{}: the layer {layer} is not in the list of tests/layers.rs", file.path));
                continue;
            };
            for target in self.needs(file) {
                let other = self::layer(&target);
                if other != layer && !below.contains(&&*other) && !target.is_empty() {
                    wrong.push(format!("{} imports {}", file.path, target.join("::")));
                }
            }
            for feature in file.features.iter().filter(|feature| !features.contains(&&***feature)) {
                wrong.push(format!("{} asks for the feature {feature}", file.path));
            }
        }
        wrong
    }

    /// Files of one folder that need each other, in one line for each circle.
    fn circles(&self) -> Vec<String> {
        let needs: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> =
            self.0.iter().map(|(module, file)| (module, self.needs(file))).collect();
        let reach = |from: &Vec<String>| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(module) = open.pop() {
                for next in needs.get(module).into_iter().flatten() {
                    if seen.insert(next) {
                        open.push(next);
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<&Vec<String>, _> =
            self.0.keys().map(|module| (module, reach(module))).collect();
        let mut circles = BTreeSet::new();
        for module in self.0.keys().filter(|module| reached[module].contains(module)) {
            let files: Vec<&str> = self
                .0
                .iter()
                .filter(|(other, _)| reached[module].contains(other) && reached[other].contains(module))
                .map(|(_, file)| &*file.path)
                .collect();
            circles.insert(format!("a circle: {}", files.join(" ")));
        }
        circles.into_iter().collect()
    }

    /// Texts that give advice that only the command's users can follow.
    fn advice(&self) -> Vec<String> {
        let names_the_command =
            |text: &String| text.contains("`atrest ") || text.contains(" --") && !text.contains("cryptsetup");
        let files = self.0.values().filter(|file| file.texts.iter().any(names_the_command));
        files.map(|file| format!("{} says what only the command can do", file.path)).collect()
    }
}

/// The layer of a module: its first part, but `xts::simd` is one of its own.
fn layer(module: &[String]) -> String {
    let parts = if module.get(1).is_some_and(|name| name == "simd") { 2 } else { 1 };
    module.iter().take(parts).cloned().collect::<Vec<_>>().join("::")
}

/// Packages of the workspace that a manifest depends on without being allowed to; for tests it may.
fn manifest(package: &str, allowed: &[&str], text: &str) -> Vec<String> {
    let mut section = "";
    let names = text.lines().filter_map(|line| {
        section = if line.starts_with('[') { line } else { section };
        let counts = section.contains("dependencies") && !section.contains("dev-dependencies");
        line.split([' ', '.', '=']).next().filter(|_| counts)
    });
    names
        .filter(|name| name.starts_with("atrest") && !allowed.contains(name))
        .map(|name| format!("{package}/Cargo.toml depends on {name}"))
        .collect()
}

#[test]
fn nothing_runs_up() {
    let library = Crate::read("src");
    let mut found = library.runs_up();
    found.extend(library.circles());
    found.extend(library.advice());
    for (package, allowed) in PACKAGES {
        let root = if *package == "." { "src".to_owned() } else { format!("{package}/src") };
        if *package != "." {
            let files = Crate::read(&root);
            assert!(!files.0.is_empty(), "{root}");
            if *package != "cli" {
                found.extend(files.advice());
            }
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("Cargo.toml");
        let text = fs::read_to_string(path).unwrap();
        // The root's lists the packages of the workspace before its own dependencies.
        let own = text.find("[package]").unwrap();
        found.extend(manifest(package, allowed, &text[own..]));
    }
    let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let known: BTreeSet<&str> = KNOWN.iter().copied().collect();
    let lines =
        |set: BTreeSet<&&str>| set.into_iter().map(|line| format!("\n    {line:?},")).collect::<String>();
    let new = lines(found.difference(&known).collect());
    let gone = lines(known.difference(&found).collect());
    assert!(new.is_empty(), "this runs up, or in a circle:{new}");
    assert!(gone.is_empty(), "mended, so take it from KNOWN in tests/layers.rs:{gone}");
}

/// Every layer is there, lest a rename leave a rule without a subject. Those that do not come from `code` alone are.
#[test]
fn layers_are_there() {
    let library = Crate::read("src");
    for name in ["code", "xts::simd", "xts", "keys", "volume"] {
        assert!(library.0.keys().any(|module| layer(module) == name), "{name}");
    }
    assert!(library.0.len() > 80, "{}", library.0.len());
    let needs: usize = library.0.values().map(|file| library.needs(file).len()).sum();
    assert!(needs > 150, "{needs} imports were read");
}

/// What is wrong with a crate of these files.
fn wrong(sources: &[(&str, &str)]) -> Vec<String> {
    let planted = Crate::new("src", sources.iter().copied());
    [planted.runs_up(), planted.circles(), planted.advice()].concat()
}

#[test]
fn planted_imports_are_found() {
    let volume = ("volume/mod.rs", "pub struct Volume; pub mod inner { pub struct Deep; }");
    let xts = ("xts/mod.rs", "mod simd; pub struct Key;");
    for (file, source) in [
        ("keys/a.rs", "use crate::volume::Volume;"),
        ("keys/a.rs", "use crate::{code::Code, volume::{self, Volume as V}};"),
        ("keys/a.rs", "pub(crate) fn f() -> crate::volume::Volume { todo!() }"),
        ("keys/a.rs", "fn f() { super::super::volume::inner::Deep; }"),
        ("keys/a.rs", "mod inner { use super::super::super::volume::*; }"),
        ("keys/a.rs", "fn f<'a>(c: char) -> bool { c == '\"' && crate::volume::Volume::g('\\'', r#\"\"#) }"),
        ("keys/a.rs", "#[cfg(test)] mod t { } use crate::volume::Volume;"),
        ("keys/a.rs", "#[cfg(test)] fn t() { } struct S { #[cfg(test)] x: (), v: crate::volume::Volume }"),
    ] {
        let found = wrong(&[volume, xts, (file, source)]);
        assert!(
            matches!(&found[..], [line] if line.starts_with("src/keys/a.rs imports volume")),
            "{source}: {found:?}"
        );
    }
    for (file, source, expected) in [
        ("xts/simd/a.rs", "use crate::xts::Key;", "src/xts/simd/a.rs imports xts"),
        ("xts/simd/a.rs", "use super::super::Key;", "src/xts/simd/a.rs imports xts"),
        ("code.rs", "use crate::xts::Key;", "src/code.rs imports xts"),
        ("storage/mod.rs", "use crate::volume::Volume;", "src/storage/mod.rs imports volume"),
        ("keys/a.rs", "#[cfg(feature = \"volume\")] fn f() {}", "src/keys/a.rs asks for the feature volume"),
        (
            "keys/a.rs",
            "fn f() { if cfg!(feature = \"volume\") {} }",
            "src/keys/a.rs asks for the feature volume",
        ),
        ("new/a.rs", "", "src/new/a.rs: the layer new is not in the list of tests/layers.rs"),
        ("keys/a.rs", "const T: &str = \"use --force\";", "src/keys/a.rs says what only the command can do"),
        (
            "keys/a.rs",
            "const T: &str = \"run `atrest key`\";",
            "src/keys/a.rs says what only the command can do",
        ),
    ] {
        assert_eq!(wrong(&[volume, xts, (file, source)]), [expected], "{source}");
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for source in [
        "use crate::xts::Key; use crate::keys::Root; use std::fs::File;",
        "//! use crate::volume::Volume;\n/* crate::volume /* */ crate::volume */ const T: &str = \"crate::volume::X\";",
        "#[cfg(test)] use crate::volume::Volume; #[cfg(test)] mod tests { use crate::cli::X; }",
        "#[cfg(test)] #[allow(dead_code)] fn f() { crate::cli::x() } #[cfg(all(test, unix))] mod more;",
        "pub(in crate::volume) struct S<'a>(&'a u8); impl S<'_> { fn f() -> impl Copy + use<'_> {} }",
    ] {
        let keys = ("keys/mod.rs", "pub struct Root;");
        let more = ("volume/more.rs", "use crate::cli::X;");
        let found = wrong(&[("xts/mod.rs", "pub struct Key;"), keys, more, ("volume/mod.rs", source)]);
        let expected: &[&str] =
            if source.contains("mod more") { &[] } else { &["src/volume/more.rs imports cli"] };
        // Of a module that is not there nothing is known, so that it is not an import at all.
        assert!(found.is_empty() || found == expected, "{source}: {found:?}");
    }
}

#[test]
fn planted_circles_are_found() {
    let circle = wrong(&[
        ("volume/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B;"),
        ("volume/a.rs", "use super::B; pub struct A;"),
        ("volume/b.rs", "use super::c::C; pub struct B;"),
        ("volume/c.rs", "pub struct C(super::A);"),
    ]);
    assert_eq!(circle, ["a circle: src/volume/a.rs src/volume/b.rs src/volume/c.rs"]);
    let none = wrong(&[
        ("volume/mod.rs", "mod a; mod b; pub use a::*; pub use b::B; fn f() { a::g() }"),
        (
            "volume/a.rs",
            "use super::b::B; pub struct A; #[cfg(test)] mod tests { use super::super::Volume; }",
        ),
        ("volume/b.rs", "pub struct B;"),
    ]);
    assert!(none.is_empty(), "{none:?}");
    let parent = wrong(&[
        ("volume/mod.rs", "mod a; use a::A; pub struct V(A);"),
        ("volume/a.rs", "use super::V; pub struct A;"),
    ]);
    assert_eq!(parent, ["a circle: src/volume/mod.rs src/volume/a.rs"]);
}

#[test]
fn planted_dependencies_are_found() {
    let text =
        "[package]\nname = \"atrest-capi\"\n[dependencies]\natrest.workspace = true\natrest-cli = \"0.1\"\n";
    assert_eq!(manifest("capi", &["atrest"], text), ["capi/Cargo.toml depends on atrest-cli"]);
}

/// A file that no module names is compiled by nobody, and read by the next developer all the same.
#[test]
fn every_file_is_a_module() {
    fn walk(dir: &Path, orphans: &mut Vec<String>, seen: &mut usize) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() {
                walk(&path, orphans, seen);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !["lib", "main", "mod"].contains(&name)
            {
                *seen += 1;
                let parents = [dir.join("mod.rs"), dir.join("lib.rs"), dir.with_extension("rs")];
                let names = |parent| {
                    fs::read_to_string(parent).is_ok_and(|text| text.contains(&format!("mod {name};")))
                };
                if !parents.iter().any(names) {
                    orphans.push(path.display().to_string());
                }
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut orphans, mut seen) = (Vec::new(), 0);
    for sources in ["src", "capi/src", "cli/src", "providers/aws-kms/src", "providers/test-suite/src"] {
        walk(&root.join(sources), &mut orphans, &mut seen);
    }
    assert!(seen > 150, "{seen} files were read");
    assert!(orphans.is_empty(), "no module names {orphans:?}");
}
