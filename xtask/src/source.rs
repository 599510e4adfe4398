//! Rust source as tokens, for the rules about code, comments and messages.
//!
//! `proc_macro2` tokenises as the compiler does, so a string or comment that looks like code is not mistaken for code.
//! Macros are not expanded; their arguments are read as code.

use std::iter::Peekable;
use std::ops::Range;
use std::slice::Iter;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// The parts of a Rust file that the rules check.
pub(crate) struct RustSource {
    pub(crate) functions: Vec<FunctionSpan>,
    pub(crate) types: Vec<TypeName>,
    pub(crate) paths: Vec<UsedPath>,
    /// The modules that the file declares, inline or in another file.
    pub(crate) modules: Vec<String>,
    pub(crate) texts: Vec<SourceText>,
    /// The lines of items under `#[cfg(test)]`.
    pub(crate) test_lines: Vec<Range<usize>>,
}

impl RustSource {
    /// An empty file.
    pub(crate) const EMPTY: Self = Self {
        functions: Vec::new(),
        types: Vec::new(),
        paths: Vec::new(),
        modules: Vec::new(),
        texts: Vec::new(),
        test_lines: Vec::new(),
    };
}

/// A function with or without a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FunctionSpan {
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// From its `fn` to its closing brace; 0 without a body.
    pub(crate) lines: usize,
    /// Whether the function implements a trait, which chose its name.
    pub(crate) of_trait_impl: bool,
    /// Whether it is part of test code.
    pub(crate) test: bool,
    /// Whether it is a test function, whose name is a sentence.
    pub(crate) is_test: bool,
}

/// The definition of a type or trait.
pub(crate) struct TypeName {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) test: bool,
}

/// A path of at least two names, in an import or an expression; a macro's name with its `!`; or a method's name with its `.`.
pub(crate) struct UsedPath {
    pub(crate) names: Vec<String>,
    pub(crate) line: usize,
    pub(crate) test: bool,
    pub(crate) kind: PathKind,
}

/// How a path is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PathKind {
    /// In an expression, a type or a pattern.
    Inline,
    /// In a `use`, under this name.
    Import(String),
    /// In a `pub use`, under this name.
    Reexport(String),
}

/// A comment or the content of a string literal.
pub(crate) struct SourceText {
    pub(crate) line: usize,
    /// The text without comment marks or quotes, with the line breaks of the source.
    pub(crate) text: String,
    /// Whether it is a doc comment.
    pub(crate) doc: bool,
}

/// The context of an item.
#[derive(Clone, Copy)]
struct ItemScope {
    test: bool,
    kind: ScopeKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Plain,
    Associated,
    TraitImpl,
}

/// Reads the text of a file; the error gives the position of the first invalid token.
pub(crate) fn read_rust(text: &str) -> Result<RustSource, String> {
    let tokens: TokenStream =
        text.parse().map_err(|error: proc_macro2::LexError| format!("the file is not Rust: {error}."))?;
    let mut reader = TokenReader { text, end: 0, source: RustSource::EMPTY };
    reader.read_tokens(tokens, ItemScope { test: false, kind: ScopeKind::Plain });
    reader.read_comments_before(text.len());
    Ok(reader.source)
}

/// The item being read at one nesting level.
#[derive(Default)]
struct ItemProgress {
    /// The context inside its braces.
    body: Option<ScopeKind>,
    /// Its index among the functions, if it is one.
    function: Option<usize>,
    /// Its first line, if an attribute marks it as test code.
    test_from: Option<usize>,
    /// Whether `#[test]` marks it.
    is_test: bool,
    previous: Option<TokenTree>,
}

struct TokenReader<'a> {
    text: &'a str,
    /// The end of the last token, in bytes; text between two tokens is a comment.
    end: usize,
    source: RustSource,
}

type TokenCursor<'a> = Peekable<Iter<'a, TokenTree>>;

impl TokenReader<'_> {
    fn read_tokens(&mut self, tokens: TokenStream, scope: ItemScope) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = tokens.iter().peekable();
        let mut item = ItemProgress::default();
        while let Some(token) = rest.next() {
            let scope = ItemScope { test: scope.test || item.test_from.is_some(), ..scope };
            match token {
                TokenTree::Ident(name) => {
                    self.pass_token(name.span());
                    self.read_name(name, &mut rest, scope, &mut item);
                }
                TokenTree::Group(group) => self.read_group(group, scope, &mut item),
                TokenTree::Literal(literal) => self.read_literal(&literal.to_string(), literal.span()),
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if self.read_doc_comment(mark.span(), &mut rest) {
                        continue;
                    }
                    if let Some(TokenTree::Group(attribute)) = rest.peek() {
                        let attribute: String = attribute.stream().to_string().split_whitespace().collect();
                        item.is_test |= attribute == "test";
                        if !scope.test && (item.is_test || attribute.starts_with("cfg(test")) {
                            item.test_from = Some(line_of(mark.span()));
                        }
                    }
                }
                TokenTree::Punct(mark) => {
                    self.pass_token(mark.span());
                    if mark.as_char() == ';' {
                        self.close_item(&mut item, mark.span());
                    }
                }
            }
            item.previous = Some(token.clone());
        }
    }

    /// Reads an identifier or keyword and what belongs to it.
    fn read_name(
        &mut self,
        name: &Ident,
        rest: &mut TokenCursor<'_>,
        scope: ItemScope,
        item: &mut ItemProgress,
    ) {
        let at = line_of(name.span());
        let next = match rest.peek() {
            Some(TokenTree::Ident(next)) => Some(next.to_string()),
            _ => None,
        };
        match (name.to_string().as_str(), next) {
            ("use", _) => self.read_use(rest, scope, item.previous.as_ref()),
            ("impl", _) if item.body.is_none() && starts_item(item.previous.as_ref()) => {
                let of_trait = implements_trait(rest.clone());
                item.body = Some(if of_trait { ScopeKind::TraitImpl } else { ScopeKind::Associated });
            }
            ("fn", Some(name)) => {
                (item.body, item.function) = (Some(ScopeKind::Plain), Some(self.source.functions.len()));
                let of_trait_impl = scope.kind == ScopeKind::TraitImpl;
                self.source.functions.push(FunctionSpan {
                    name,
                    line: at,
                    lines: 0,
                    of_trait_impl,
                    test: scope.test,
                    is_test: item.is_test,
                });
            }
            ("mod", Some(name)) => self.source.modules.push(name),
            (keyword @ ("struct" | "enum" | "union" | "trait" | "type"), Some(name)) => {
                let counts = match keyword {
                    "type" => scope.kind == ScopeKind::Plain,
                    "union" => opens_definition(rest.clone().nth(1)),
                    _ => true,
                };
                if counts {
                    self.source.types.push(TypeName { name, line: at, test: scope.test });
                    item.body = Some(ScopeKind::Associated).filter(|_| keyword == "trait").or(item.body);
                }
            }
            (name, _) => self.read_path(name, at, rest, scope, item.previous.as_ref()),
        }
    }

    fn read_group(&mut self, group: &Group, scope: ItemScope, item: &mut ItemProgress) {
        self.pass_token(group.span_open());
        let is_body = group.delimiter() == Delimiter::Brace;
        let kind = item.body.filter(|_| is_body).unwrap_or(ScopeKind::Plain);
        self.read_tokens(group.stream(), ItemScope { kind, ..scope });
        self.pass_token(group.span_close());
        if is_body {
            if let Some(function) = item.function {
                let function = &mut self.source.functions[function];
                function.lines = line_of(group.span_close()) + 1 - function.line;
            }
            self.close_item(item, group.span_close());
        }
    }

    /// Ends an item at its `;` or closing brace.
    fn close_item(&mut self, item: &mut ItemProgress, end: Span) {
        if let Some(from) = std::mem::take(item).test_from {
            self.source.test_lines.push(from..line_of(end) + 1);
        }
    }

    /// Advances past a token and records the comment before it.
    fn pass_token(&mut self, span: Span) {
        let range = span.byte_range();
        self.read_comments_before(range.start);
        self.end = self.end.max(range.end);
    }

    fn read_comments_before(&mut self, start: usize) {
        let gap = self.text.get(self.end..start).unwrap_or_default();
        if gap.trim().is_empty() {
            return;
        }
        let first = self.text[..self.end].matches('\n').count() + 1;
        for (index, text) in gap.split('\n').enumerate() {
            self.add_comment(first + index, text, false);
        }
    }

    /// Adds a comment line, joined to the comment on the previous line if one ends there.
    fn add_comment(&mut self, line: usize, text: &str, doc: bool) {
        let text = text.trim().trim_start_matches(['/', '!', '*']).trim_end_matches("*/").trim();
        if text.is_empty() {
            return;
        }
        if let Some(before) = self.source.texts.last_mut()
            && before.doc == doc
            && before.line + before.text.matches('\n').count() + 1 == line
        {
            before.text.push('\n');
            before.text.push_str(text);
            return;
        }
        self.source.texts.push(SourceText { line, text: text.to_owned(), doc });
    }

    /// Reads a doc comment, which the tokeniser returns as an attribute that spans the comment.
    fn read_doc_comment(&mut self, span: Span, rest: &mut TokenCursor<'_>) -> bool {
        let range = span.byte_range();
        self.read_comments_before(range.start);
        self.end = self.end.max(range.end);
        if range.len() == 1 {
            return false;
        }
        for (index, text) in self.text[range.clone()].split('\n').enumerate() {
            self.add_comment(line_of(span) + index, text, true);
        }
        while rest.next_if(|token| token.span().byte_range().start < range.end).is_some() {}
        true
    }

    fn read_literal(&mut self, text: &str, span: Span) {
        self.pass_token(span);
        let Some(start) = text.find('"') else { return };
        let inside = text[start + 1..].trim_end_matches('#').trim_end_matches('"');
        let joined = inside.replace("\\\n", "\n").replace("\\n", " ");
        self.source.texts.push(SourceText { line: line_of(span), text: joined, doc: false });
    }

    /// Reads a path from its first name, `name!` or `.name`.
    fn read_path(
        &mut self,
        first: &str,
        line: usize,
        rest: &mut TokenCursor<'_>,
        scope: ItemScope,
        previous: Option<&TokenTree>,
    ) {
        let mut names = vec![first.to_owned()];
        while takes_colons(rest) {
            let Some(TokenTree::Ident(name)) = rest.peek() else { break };
            names.push(name.to_string());
            self.pass_token(name.span());
            rest.next();
        }
        let is_field = previous.is_some_and(|token| is_mark(token, '.'));
        if rest.peek().is_some_and(|token| is_mark(token, '!')) && names.len() == 1 && !is_field {
            names[0].push('!');
        } else if names.len() == 1 && !is_field {
            return;
        } else if is_field {
            names[0].insert(0, '.');
        }
        self.source.paths.push(UsedPath { names, line, test: scope.test, kind: PathKind::Inline });
    }

    /// Reads a `use` declaration up to its `;`.
    fn read_use(&mut self, rest: &mut TokenCursor<'_>, scope: ItemScope, previous: Option<&TokenTree>) {
        let public = match previous {
            Some(TokenTree::Ident(name)) => *name == "pub",
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            _ => false,
        };
        let mut leaves = Vec::new();
        self.read_use_tree(rest, &[], &mut leaves);
        for (names, alias, line) in leaves {
            let kind = if public { PathKind::Reexport(alias) } else { PathKind::Import(alias) };
            self.source.paths.push(UsedPath { names, line, test: scope.test, kind });
        }
    }

    fn read_use_tree(
        &mut self,
        rest: &mut TokenCursor<'_>,
        prefix: &[String],
        leaves: &mut Vec<(Vec<String>, String, usize)>,
    ) {
        let mut names = prefix.to_vec();
        let mut at = None;
        while let Some(token) = rest.next_if(|token| !is_mark(token, ';') && !is_mark(token, ',')) {
            at = at.or(Some(line_of(token.span())));
            match token {
                TokenTree::Ident(name) if *name == "as" => {
                    let alias = rest.next().map(ToString::to_string).unwrap_or_default();
                    leaves.push((std::mem::take(&mut names), alias, line_of(token.span())));
                }
                TokenTree::Ident(name) if *name == "self" && !names.is_empty() => {}
                TokenTree::Ident(name) => names.push(name.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '*' => names.push("*".to_owned()),
                TokenTree::Group(group) => {
                    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                    let mut inside = inside.iter().peekable();
                    while inside.peek().is_some() {
                        self.read_use_tree(&mut inside, &names, leaves);
                        inside.next();
                    }
                    names.clear();
                }
                _ => {}
            }
            self.end = self.end.max(token.span().byte_range().end);
        }
        if let (Some(alias), Some(at)) = (names.last().cloned(), at) {
            leaves.push((names, alias, at));
        }
    }
}

/// Whether an item may start after this token; elsewhere `impl` is part of a type.
fn starts_item(previous: Option<&TokenTree>) -> bool {
    match previous {
        None | Some(TokenTree::Group(_)) => true,
        Some(TokenTree::Ident(name)) => *name == "unsafe",
        Some(TokenTree::Punct(mark)) => mark.as_char() == ';',
        Some(TokenTree::Literal(_)) => false,
    }
}

/// Whether this token starts the body or generics of a union; otherwise `union` is an ordinary name.
fn opens_definition(behind: Option<&TokenTree>) -> bool {
    match behind {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(token) => is_mark(token, '<'),
        None => false,
    }
}

/// Whether `for` appears between `impl` and its braces, except in `for<'a>`.
fn implements_trait(mut rest: TokenCursor<'_>) -> bool {
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Ident(name)
                if *name == "for" && !rest.peek().is_some_and(|token| is_mark(token, '<')) =>
            {
                return true;
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return false,
            _ => {}
        }
    }
    false
}

/// Consumes `::` if a name follows.
fn takes_colons(rest: &mut TokenCursor<'_>) -> bool {
    let mut ahead = rest.clone();
    let colons = (0..2).all(|_| ahead.next().is_some_and(|token| is_mark(token, ':')));
    let name = matches!(ahead.next(), Some(TokenTree::Ident(_)));
    if colons && name {
        rest.next();
        rest.next();
    }
    colons && name
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}

fn line_of(span: Span) -> usize {
    span.start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let code = "fn a() {\n    if x { y }\n}\n\ntrait T {\n    fn b(z: [u8; 2]);\n    fn c() -> fn(u8) {}\n}\nimpl<'a> A for B {\n fn d() {} }\nimpl C { fn e() {} }\n#[cfg(test)]\nmod t { #[test] fn f() {} }\nfn g() -> impl Fn() {}";
        let functions = read_rust(code).unwrap().functions;
        let measured: Vec<(&str, usize, usize, bool, bool)> = functions
            .iter()
            .map(|it| (it.name.as_str(), it.line, it.lines, it.of_trait_impl, it.test))
            .collect();
        let expected = [
            ("a", 1, 3, false, false),
            ("b", 6, 0, false, false),
            ("c", 7, 1, false, false),
            ("d", 10, 1, true, false),
            ("e", 11, 1, false, false),
            ("f", 13, 1, false, true),
            ("g", 14, 1, false, false),
        ];
        assert_eq!(measured, expected);
    }

    #[test]
    fn types_are_found() {
        let code = "struct A; pub(crate) enum B<T> { C(T) } trait D { type E; } type F = u8; impl D for A { type E = u8; } #[cfg(test)] struct G(); struct H { union: u8 }";
        let names: Vec<(String, bool)> =
            read_rust(code).unwrap().types.into_iter().map(|found| (found.name, found.test)).collect();
        let expected = [("A", false), ("B", false), ("D", false), ("F", false), ("G", true), ("H", false)];
        assert_eq!(names, expected.map(|(name, test)| (name.to_owned(), test)));
    }

    #[test]
    fn paths_are_read() {
        let code = "use a::{b, c::{d, e as f}, g};\npub use h::*;\nx(a::i::<u8>::j); k::l!(m::n); p.exists(); q!();\n#[cfg(test)]\nuse a::{self, r};\n// a::z\n\"a::y\"";
        let paths: Vec<(String, usize, bool)> = read_rust(code)
            .unwrap()
            .paths
            .into_iter()
            .map(|path| (path.names.join("::"), path.line, path.test))
            .collect();
        let expected = [
            ("a::b", 1, false),
            ("a::c::d", 1, false),
            ("a::c::e", 1, false),
            ("a::g", 1, false),
            ("h::*", 2, false),
            ("a::i", 3, false),
            ("k::l", 3, false),
            ("m::n", 3, false),
            (".exists", 3, false),
            ("q!", 3, false),
            ("a", 5, true),
            ("a::r", 5, true),
        ];
        assert_eq!(paths, expected.map(|(path, line, test)| (path.to_owned(), line, test)));
    }

    #[test]
    fn comments_and_messages_are_read() {
        let code = "//! One\n//! two.\n\n/// Three.\nfn a() {\n    // Four\n    // five.\n    b(\"six \\\n seven\", r#\"eight\"#, 'c'); // Nine.\n    /* Ten */\n}\n";
        let texts: Vec<(usize, String, bool)> = read_rust(code)
            .unwrap()
            .texts
            .into_iter()
            .map(|found| (found.line, found.text.split_whitespace().collect::<Vec<_>>().join(" "), found.doc))
            .collect();
        let expected = [
            (1, "One two.", true),
            (4, "Three.", true),
            (6, "Four five.", false),
            (8, "six seven", false),
            (9, "eight", false),
            (9, "Nine. Ten", false),
        ];
        assert_eq!(texts, expected.map(|(line, text, doc)| (line, text.to_owned(), doc)));
    }
}
