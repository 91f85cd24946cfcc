//! A first look at a template's tags, before a parser that recurses sees them.
//!
//! handlebars parses, renders and drops nested blocks by recursion: two thousand nested `{{#if}}` in
//! 36 KB overflow a thread's stack and abort the process, which nothing can catch. So depth is
//! bounded here, on the bare text, and whatever a mail has no use for (partials, loops, raw output)
//! is refused with its line and its reason.

use warmfront_core::problem::nearest;

use super::Flaw;

/// The text outside the tags, each tag replaced by one space that is no brace; lines are kept.
pub(super) fn scan(text: &str) -> Result<String, Vec<Flaw>> {
    if text.len() > TEMPLATE_MAX {
        return Err(vec![Flaw::error(1, "the template is longer than 64 KiB; that is no letter")]);
    }
    let mut scan = Scan { outside: String::with_capacity(text.len()), ..Scan::default() };
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        scan.text(&rest[..at]);
        if rest[..at].ends_with('\\') {
            scan.flaw("a backslash before `{{` turns a tag into plain text; leave it out");
        }
        rest = match scan.tag(&rest[at..]) {
            Ok(length) => {
                scan.skip(&rest[at..at + length]);
                &rest[at + length..]
            }
            // Where a tag has no end, nothing behind it can be judged.
            Err(what) => {
                scan.flaw(what);
                return Err(scan.flaws);
            }
        };
    }
    scan.text(rest);
    scan.finish()
}

#[derive(Default)]
struct Scan {
    outside: String,
    /// Line breaks so far.
    line: usize,
    tags: usize,
    open: Vec<Block>,
    flaws: Vec<Flaw>,
}

/// A block that is open: where it began, as what, and how deep it nests by its `else if`s.
struct Block {
    line: usize,
    name: String,
    levels: usize,
}

impl Scan {
    fn text(&mut self, text: &str) {
        self.line += text.matches('\n').count();
        self.outside.push_str(text);
        self.outside.push(' ');
    }

    /// Leaves a tag out; a comment may hold line breaks.
    fn skip(&mut self, tag: &str) {
        let breaks = tag.matches('\n').count();
        self.line += breaks;
        self.outside.extend(std::iter::repeat_n('\n', breaks));
    }

    fn flaw(&mut self, what: impl Into<String>) {
        self.flaws.push(Flaw::error(self.line + 1, what));
    }

    /// Judges the tag at the beginning of `rest` and gives its length.
    fn tag(&mut self, rest: &str) -> Result<usize, String> {
        self.tags += 1;
        if self.tags > TAGS_MAX {
            return Err(format!("more than {TAGS_MAX} tags; that is no letter"));
        }
        if rest.starts_with("{{{") {
            return Err(
                "`{{{` puts a value into HTML as it stands, so that a list could write the \
                        page; use `{{ }}`"
                    .to_owned(),
            );
        }
        let inner = rest[2..].trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '~');
        if let Some(comment) = inner.strip_prefix('!') {
            let begins = rest.len() - comment.len();
            let end = if comment.trim_ascii_start().starts_with("--") { "--}}" } else { "}}" };
            let found = comment.find(end).ok_or("this comment is never closed")?;
            return Ok(begins + found + end.len());
        }
        let length = tag_length(rest)?;
        let body = rest[2..length - 2].trim_matches(|c: char| c.is_ascii_whitespace() || c == '~');
        self.judge(body);
        Ok(length)
    }

    fn judge(&mut self, body: &str) {
        let (sign, rest) = match body.chars().next() {
            Some(sign @ ('#' | '/' | '>' | '*' | '&' | '^')) => {
                (sign, body[1..].trim_ascii_start())
            }
            Some(_) if body.starts_with("else") => ('^', body[4..].trim_ascii_start()),
            Some(_) => (' ', body),
            None => return self.flaw("an empty tag; write a column's name between the braces"),
        };
        let name = rest.split(|c: char| c.is_ascii_whitespace() || c == '~').next().unwrap_or("");
        match (sign, name.chars().next()) {
            ('>', _) | ('#', Some('>')) => self.flaw(
                "a partial takes text from elsewhere, and a step must be whole in its own file; \
                 write the text here",
            ),
            ('*', _) | ('#', Some('*')) => {
                self.flaw("decorators and inline partials are refused; write the text here");
            }
            ('&', _) => self.flaw("`{{&` puts a value into HTML as it stands; use `{{ }}`"),
            ('#', _) => self.opened(name),
            ('/', _) => self.closed(name),
            ('^', _) => self.otherwise(rest),
            _ => {}
        }
    }

    fn opened(&mut self, name: &str) {
        match name {
            "if" | "unless" => {}
            "each" => self.flaw("`#each` has nothing to repeat: every value is a single text"),
            "with" => self.flaw("`#with` has nothing to enter: every value is a single text"),
            _ => {
                let hint = nearest(name, ["if", "unless"]).unwrap_or("if");
                self.flaw(format!("`#{name}` is no block; did you mean `#{hint}`?"));
            }
        }
        self.open.push(Block { line: self.line + 1, name: name.to_owned(), levels: 1 });
        self.bound_depth();
    }

    fn otherwise(&mut self, condition: &str) {
        match self.open.last_mut() {
            None => self.flaw("`{{else}}` outside any `{{#if}}`"),
            Some(_) if condition.is_empty() => {}
            Some(block) => {
                block.levels += 1;
                self.bound_depth();
            }
        }
    }

    fn closed(&mut self, name: &str) {
        match self.open.pop() {
            None => self.flaw(format!("`{{{{/{name}}}}}` closes nothing")),
            Some(block) if block.name != name => self.flaw(format!(
                "`{{{{/{name}}}}}` closes the `{{{{#{}}}}}` of line {}",
                block.name, block.line
            )),
            Some(_) => {}
        }
    }

    fn bound_depth(&mut self) {
        let depth: usize = self.open.iter().map(|block| block.levels).sum();
        if depth == DEPTH_MAX + 1 {
            self.flaw(format!("blocks nest deeper than {DEPTH_MAX}"));
        }
    }

    fn finish(mut self) -> Result<String, Vec<Flaw>> {
        for block in std::mem::take(&mut self.open) {
            let what = format!("`{{{{#{}}}}}` is never closed", block.name);
            self.flaws.push(Flaw::error(block.line, what));
        }
        if self.flaws.is_empty() { Ok(self.outside) } else { Err(self.flaws) }
    }
}

/// The length of a tag up to and with its `}}`; texts in quotes may hold anything.
fn tag_length(rest: &str) -> Result<usize, String> {
    let bytes = rest.as_bytes();
    let (mut at, mut quote, mut parentheses) = (2, None, 0_usize);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (_, b'\n') => break,
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Ok(at + 2),
            (None, b'{' | b'[') => {
                return Err(format!(
                    "`{}` inside a tag; a value is named by its column and nothing else",
                    char::from(bytes[at])
                ));
            }
            (None, b'(') => parentheses += 1,
            (None, _) => {}
        }
        if parentheses > PARENTHESES_MAX {
            return Err(format!("more than {PARENTHESES_MAX} parentheses in one tag"));
        }
        at += 1;
    }
    Err("`{{` is not closed in its line; end the tag with `}}`".to_owned())
}

/// A stack of 2 MiB bears a hundred times this in an unoptimised build.
const DEPTH_MAX: usize = 20;

/// With the texts between them, five thousand elements.
const TAGS_MAX: usize = 2_500;

const PARENTHESES_MAX: usize = 8;

const TEMPLATE_MAX: usize = 64 << 10;
