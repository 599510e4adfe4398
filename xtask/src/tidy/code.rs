//! Rust source with comments and literals blanked out, so that a law about code never trips over a text.

/// A function's place and length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// From its `fn` to its closing brace.
    pub(crate) lines: usize,
}

/// The same text with the inside of comments, strings and characters replaced by spaces; lines stay where they are.
pub(crate) fn code_of(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut blanked = Vec::with_capacity(characters.len());
    let mut at = 0;
    while at < characters.len() {
        let end = match literal_end(&characters, at) {
            Some(end) => end,
            None => at + 1,
        };
        let keep = end == at + 1;
        for character in &characters[at..end] {
            blanked.push(if keep || *character == '\n' { *character } else { ' ' });
        }
        at = end;
    }
    blanked.into_iter().collect()
}

/// Where the comment or literal that begins here ends, if one does.
fn literal_end(text: &[char], at: usize) -> Option<usize> {
    let after_name = at > 0 && is_name(text[at - 1]);
    match (text[at], text.get(at + 1)) {
        ('/', Some('/')) => Some(line_end(text, at)),
        ('/', Some('*')) => Some(block_end(text, at)),
        ('"', _) => Some(string_end(text, at + 1)),
        ('b' | 'c', Some('"')) if !after_name => Some(string_end(text, at + 2)),
        ('r', Some('"' | '#')) if !after_name => raw_end(text, at + 1),
        ('b' | 'c', Some('r')) if !after_name => raw_end(text, at + 2),
        ('\'', Some('\\')) => Some(character_end(text, at)),
        ('\'', Some(_)) if text.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn line_end(text: &[char], at: usize) -> usize {
    text[at..].iter().position(|character| *character == '\n').map_or(text.len(), |length| at + length)
}

/// Block comments nest.
fn block_end(text: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string_end(text: &[char], inside: usize) -> usize {
    let mut at = inside;
    while at < text.len() {
        match text[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The end of a raw string whose `#`s, if any, begin here; `None` for a raw name such as `r#type`.
fn raw_end(text: &[char], at: usize) -> Option<usize> {
    let hashes = text[at..].iter().take_while(|character| **character == '#').count();
    if text.get(at + hashes) != Some(&'"') {
        return None;
    }
    let closing =
        |end: usize| text[end] == '"' && text[end + 1..].iter().take(hashes).all(|found| *found == '#');
    let end = (at + hashes + 1..text.len()).find(|end| closing(*end));
    Some(end.map_or(text.len(), |end| (end + 1 + hashes).min(text.len())))
}

fn character_end(text: &[char], at: usize) -> usize {
    let mut end = at + 3;
    while end < text.len() && text[end] != '\'' {
        end += 1;
    }
    (end + 1).min(text.len())
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Every function with a body, in order; `code` is blanked already.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let characters: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    for at in 0..characters.len() {
        if let Some(function) = function_at(&characters, at) {
            found.push(function);
        }
    }
    found
}

fn function_at(text: &[char], at: usize) -> Option<Function> {
    let keyword = text[at..].starts_with(&['f', 'n', ' ']) && (at == 0 || !is_name(text[at - 1]));
    if !keyword {
        return None;
    }
    let name: String = text[at + 3..].iter().take_while(|character| is_name(**character)).collect();
    if name.is_empty() {
        return None;
    }
    let open = body_start(text, at)?;
    let (mut depth, mut end) = (0_usize, open);
    while end < text.len() {
        match text[end] {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        end += 1;
    }
    let newlines = |part: &[char]| part.iter().filter(|character| **character == '\n').count();
    let line = newlines(&text[..at]) + 1;
    Some(Function { name, line, lines: newlines(&text[at..end.min(text.len())]) + 1 })
}

/// The brace that opens the body, or nothing for a declaration that ends in `;`.
fn body_start(text: &[char], at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (place, character) in text.iter().enumerate().skip(at) {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(place),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// What is named right behind `prefix` (which ends in `::`), with the line: `a::{b, c::d}` names `b` and `c`.
pub(crate) fn named_behind(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let inside_name = code[..at].ends_with(|character: char| is_name(character) || character == ':');
        if inside_name {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => named.extend(group_heads(group).into_iter().map(|name| (line, name))),
            None => named.push((line, head(rest))),
        }
    }
    named
}

/// The first name of each entry of a `use` group, up to its closing brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                heads.push(head(group[start..at].trim_start()));
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn head(text: &str) -> String {
    text.chars().take_while(|character| is_name(*character) || *character == '*').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blanked() {
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x\"y", 'z')"#, "f(      ,    )"),
            (r##"r#"fn x() {"# + 1"##, "              + 1"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            (r"'\'' 'a", "     'a"),
            ("r#type", "r#type"),
            ("b\"x\" for\"y\"", "     for   "),
        ] {
            assert_eq!(code_of(text), code, "{text}");
        }
    }

    #[test]
    fn functions_are_measured() {
        let code =
            "fn a() {\n    if x { y }\n}\n\ntrait T {\n    fn b(z: [u8; 2]);\n    fn c() -> fn(u8) {}\n}\n";
        let measured: Vec<(String, usize, usize)> = functions(code)
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect();
        assert_eq!(measured, [("a".to_owned(), 1, 3), ("c".to_owned(), 7, 1)]);
    }

    #[test]
    fn uses_are_read() {
        let code = "use a::{b, c::{d, e}, f as g};\nx(a::h::i); self::a::j; za::k;";
        let names: Vec<(usize, String)> = named_behind(code, "a::");
        let expected = [(1, "b"), (1, "c"), (1, "f"), (2, "h")];
        assert_eq!(names, expected.map(|(line, name)| (line, name.to_owned())));
    }
}
