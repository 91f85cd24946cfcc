//! Rust files as the tidy tests see them: the whole text, the bare code, the part that ships.
//!
//! No parser: comments and literals are blanked out, and then brackets match. A function is measured
//! from its `fn` to the brace that closes it, an item under `#[cfg(test)]` to its brace or semicolon.
//! Does not expand macros, and takes what they are given for plain code.

use std::collections::BTreeSet;

/// One Rust file.
pub(crate) struct Source {
    /// From the workspace's root.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Without comments and literals, line for line.
    pub(crate) code: String,
    /// The same without what only tests are built of.
    pub(crate) shipped: String,
}

/// All Rust files of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    let paths: Vec<String> =
        crate::files().into_iter().filter(|path| path.ends_with(".rs")).collect();
    let mut sources: Vec<Source> =
        paths.iter().map(|path| Source::new(path, &crate::read(path))).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let under = |module: &String| {
            source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
        };
        if tests.iter().any(under) {
            source.shipped = blank(&source.code);
        }
    }
    assert!(sources.len() > 50, "the walk lost its way: {} Rust files", sources.len());
    sources
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = bare(text);
        let shipped = if path.starts_with("tests/") || path.contains("/tests/") {
            blank(&code)
        } else {
            without_test_items(&code)
        };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// The crate it belongs to, by its folder.
    pub(crate) fn krate(&self) -> &str {
        self.path.strip_prefix("crates/").map_or("", |path| path.split('/').next().unwrap_or(""))
    }
}

/// A function: its name, the line it begins on, and how many lines it takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// All functions of bare code. A pointer type such as `fn(u32)` has no name and is none.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    for at in places(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        if !name.is_empty() {
            let lines = code[at..item_end(code, at)].matches('\n').count() + 1;
            functions.push(Function { name, line: line_of(code, at), lines });
        }
    }
    functions
}

/// The lines on which a word or path such as `Instant::now` stands by itself.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    places(code, word).map(|at| line_of(code, at)).collect()
}

fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let continues = |c: Option<char>| c.is_some_and(is_word);
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let starts_word = word.starts_with(is_word);
        let ends_word = word.ends_with(is_word);
        !(starts_word && continues(code[..at].chars().next_back())
            || ends_word && continues(code[at + word.len()..].chars().next()))
    })
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The modules a file declares for tests only, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let home = match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let declared = source.code.match_indices(CFG_TEST).filter_map(|(at, _)| {
        let item = source.code[at + CFG_TEST.len()..].split_once(';')?.0;
        let name = item.trim().strip_prefix("mod ")?.trim();
        name.chars().all(is_word).then(|| format!("{home}/{name}"))
    });
    declared.collect()
}

fn without_test_items(code: &str) -> String {
    let mut shipped = code.to_owned();
    while let Some(at) = shipped.find(CFG_TEST) {
        let end = item_end(&shipped, at + CFG_TEST.len());
        shipped.replace_range(at..end, &blank(&shipped[at..end]));
    }
    shipped
}

const CFG_TEST: &str = "#[cfg(test)]";

/// Where the item that begins at `from` ends: behind its closing brace, or its semicolon.
fn item_end(code: &str, from: usize) -> usize {
    let (mut nested, mut braces) = (0_usize, 0_usize);
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested = nested.saturating_sub(1),
            ';' if nested == 0 && braces == 0 => return from + at + 1,
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && nested == 0 {
                    return from + at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// The code alone: every character of a comment or a literal becomes a blank, lines stay lines.
fn bare(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let continues_word = code.chars().next_back().is_some_and(is_word);
        match literal_or_comment(rest, continues_word) {
            0 => {
                code.push(c);
                rest = &rest[c.len_utf8()..];
            }
            length => {
                code += &blank(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    code
}

/// How long the comment or literal is that `rest` begins with; 0 where it begins with neither.
fn literal_or_comment(rest: &str, continues_word: bool) -> usize {
    let to = |end: &str, from: usize| {
        rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let prefix = rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len();
    let raw = &rest[prefix..];
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !continues_word && rest[..prefix].ends_with('r') && raw[hashes..].starts_with('"') {
        return to(&format!("\"{}", "#".repeat(hashes)), prefix + hashes + 1);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) => quoted(rest, '\''),
        (Some('\''), Some(inner), Some('\'')) => 2 + inner.len_utf8(),
        _ => 0,
    }
}

/// Rust's block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

#[track_caller]
fn check(text: &str, want: &str) {
    let words: Vec<String> = bare(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.join(" "), want, "{text}");
}

#[test]
fn comments_and_literals_are_no_code() {
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check(r#"a("b \" c", d)"#, "a( , d)");
    check("a(r#\"b\"c\"#, br\"\\\", d)", "a( , , d)");
    check(r"f('a', '\'', '{', b)", "f( , , , b)");
    check("fn f<'a>(x: &'a str) -> char { '\"' }", "fn f<'a>(x: &'a str) -> char { }");
    check("var\"b\" r#type", "var r#type");
}

#[test]
fn test_items_do_not_ship() {
    let source = Source::new(
        "crates/core/src/a.rs",
        "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c([x; 2]: [u8; 2]) {}\n#[cfg(test)]\nmod zoo;\nfn d() {}",
    );
    let names: Vec<String> = functions(&source.shipped).into_iter().map(|f| f.name).collect();
    assert_eq!(names, ["a", "c", "d"]);
    assert_eq!(test_modules(&source), ["crates/core/src/a/zoo"]);
    assert!(Source::new("tests/src/server.rs", "fn a() {}").shipped.trim().is_empty());
}

#[test]
fn functions_are_measured_from_fn_to_brace() {
    let code = bare("pub fn a(\n) -> [u8; 2] {\n  let f: fn(u8) = |_| {};\n  [0, 0]\n}\nfn b();\n");
    let want = [("a", 1, 5), ("b", 6, 1)].map(|(name, line, lines)| Function {
        name: name.to_owned(),
        line,
        lines,
    });
    assert_eq!(functions(&code), want);
    assert_eq!(lines_with("a::now b::now a::nowhere", "a::now"), [1]);
}
