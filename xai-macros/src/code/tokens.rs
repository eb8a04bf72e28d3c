//! Code as a list of words, without what changes no result: comments, layout, docs, lints and tests.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Attributes without an effect on a result.
const WITHOUT_EFFECT: [&str; 9] = [
    "doc", "allow", "expect", "warn", "deny", "forbid", "must_use", "inline", "rustfmt",
];

/// Operators of several characters, the longest first. Others are of one character.
const OPERATORS: [&str; 25] = [
    "<<=", ">>=", "...", "..=", "::", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=",
    "*=", "/=", "%=", "^=", "&=", "|=", "<<", ">>", "..", "<-",
];

/// Keywords before a parenthesis. There it begins an expression or a type, and no arguments.
const KEYWORDS: [&str; 12] = [
    "as", "break", "else", "fn", "if", "in", "let", "match", "move", "mut", "return", "while",
];

/// The words of code in order. Delimiters are words too.
pub fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    append(tokens, &mut words);
    words
}

/// A name without `r#`, which may stand at one of its places and not at another.
pub fn without_raw(word: &str) -> &str {
    let name = word.strip_prefix("r#");
    name.filter(|name| !name.starts_with(['"', '#'])) // a string
        .unwrap_or(word)
}

/// A hash of words, in 16 hexadecimal digits.
pub fn hash(words: &[String]) -> String {
    let mut hash = blake3::Hasher::new();
    for word in words {
        hash.update(&(word.len() as u64).to_le_bytes());
        hash.update(word.as_bytes());
    }
    digits(&hash.finalize())
}

/// The first 16 hexadecimal digits of a hash.
pub fn digits(hash: &blake3::Hash) -> String {
    hash.to_hex()[..16].to_owned()
}

fn append(tokens: TokenStream, words: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => match attribute(&tokens, at) {
                Some((Attribute::WithoutEffect, end)) => at = end,
                Some((Attribute::OfTest, end)) => at = end_of_item(&tokens, end),
                None => words.push("#".to_owned()),
            },
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                let name = tokens.get(at).map(ToString::to_string);
                words.push(format!("'{}", name.unwrap_or_default()));
                at += 1;
            }
            TokenTree::Punct(_) => {
                let operator = operator(&tokens, at - 1);
                at += operator.len() - 1;
                let arm = operator == "=>";
                words.push(operator);
                // rustfmt puts the expression of a match arm into braces, or takes them away.
                if let (true, Some(TokenTree::Group(body))) = (arm, tokens.get(at))
                    && body.delimiter() == Delimiter::Brace
                {
                    append(body.stream(), words);
                    words.push(",".to_owned());
                    at += 1;
                    at += usize::from(is_comma(tokens.get(at)));
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                let arguments = words.last().is_some_and(|word| is_callee(word));
                let inner: Vec<_> = group.stream().into_iter().collect();
                let commas = inner.iter().filter(|token| is_comma(Some(token))).count();
                // `(a,)` is a tuple and `(a)` is not. Elsewhere the last comma means nothing.
                let tuple = open == "(" && commas == 1 && !arguments;
                words.push(open.to_owned());
                append(group.stream(), words);
                if !tuple && words.last().is_some_and(|word| word == ",") {
                    words.pop();
                }
                words.push(close.to_owned());
            }
            TokenTree::Ident(name) => words.push(name.to_string()),
            TokenTree::Literal(literal) => words.push(literal.to_string()),
        }
    }
}

enum Attribute {
    WithoutEffect,
    /// `#[test]` or `#[cfg(test)]`: the item after it is no part of the program.
    OfTest,
}

/// The attribute whose `#` is before `at`, if it is one of those, and the index after it.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(Attribute, usize)> {
    let inner = matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == '!');
    let at = at + usize::from(inner);
    let Some(TokenTree::Group(group)) = tokens.get(at) else {
        return None;
    };
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    let text = group.stream().to_string().replace(' ', "");
    let TokenTree::Ident(name) = group.stream().into_iter().next()? else {
        return None;
    };
    match () {
        () if WITHOUT_EFFECT.iter().any(|known| name == known) => {
            Some((Attribute::WithoutEffect, at + 1))
        }
        () if text == "test" || text == "cfg(test)" => Some((Attribute::OfTest, at + 1)),
        () => None,
    }
}

/// The words that begin an item or a statement with commas in it. What else has attributes is mostly a field, a variant or
/// an arm of a match, which a comma ends.
const BEGINNINGS: [&str; 13] = [
    "async", "const", "enum", "extern", "fn", "impl", "let", "mod", "static", "struct", "trait",
    "type", "use",
];

/// The index after the item that begins at `at`: after its braces or its semicolon. A field, a variant or an arm also ends
/// with its comma. An end too early counts more code than necessary; one too late would hide code.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let rest = tokens.get(at..).unwrap_or_default();
    let first = first_word(rest);
    let comma_ends = first != "unsafe" && !BEGINNINGS.contains(&first.as_str());
    for (number, token) in rest.iter().enumerate() {
        let next = rest.get(number + 1);
        let ends = match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                !(comma_ends && continues(&rest[number + 1..]))
            }
            TokenTree::Punct(punct) => {
                punct.as_char() == ';' || (comma_ends && punct.as_char() == ',')
            }
            _ => false,
        };
        if ends {
            let group = matches!(token, TokenTree::Group(_));
            let comma = comma_ends && is_comma(next);
            // As after `use a::{b, c}`.
            let semicolon = matches!(next, Some(TokenTree::Punct(punct)) if punct.as_char() == ';');
            return at + number + 1 + usize::from(group && (comma || semicolon));
        }
    }
    tokens.len()
}

/// Whether the braces before these tokens belong to the pattern of an arm, or to a variant with a value.
fn continues(rest: &[TokenTree]) -> bool {
    let is = |token: &TokenTree, wanted: char| matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted);
    match rest {
        [first, ..] if is(first, '=') => true,
        // A condition or another pattern, but not the next statement.
        [first, ..] if is(first, '|') || first.to_string() == "if" => {
            let ends = |token: &TokenTree| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                token => is(token, ';') || is(token, ','),
            };
            let mut pairs = rest.windows(2).take_while(|pair| !ends(&pair[0]));
            pairs.any(|pair| is(&pair[0], '=') && is(&pair[1], '>'))
        }
        _ => false,
    }
}

/// The first word after attributes and `pub`. Empty if there is none.
fn first_word(tokens: &[TokenTree]) -> String {
    let mut tokens = tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next();
            }
            TokenTree::Ident(name) if name == "pub" => {
                let of = |token: &&TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
                tokens.next_if(of);
            }
            TokenTree::Ident(name) => return name.to_string(),
            _ => break,
        }
    }
    String::new()
}

/// The operator that begins at `at`.
fn operator(tokens: &[TokenTree], at: usize) -> String {
    let mut run = String::new();
    for token in &tokens[at..] {
        let TokenTree::Punct(punct) = token else {
            break;
        };
        run.push(punct.as_char());
        if punct.spacing() == Spacing::Alone || run.len() == 3 {
            break;
        }
    }
    let known = OPERATORS.iter().find(|known| run.starts_with(**known));
    known.map_or_else(|| run[..1].to_owned(), ToString::to_string)
}

fn is_comma(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ',')
}

/// Whether parentheses after this word hold arguments.
fn is_callee(word: &str) -> bool {
    let name = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (name && !KEYWORDS.contains(&word)) || [">", ")", "]", "!"].contains(&word)
}
