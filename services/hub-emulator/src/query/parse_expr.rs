//! Reads expressions: recursive descent, from what binds least to what binds most.
//!
//! ```text
//! any        = all { or all }
//! all        = not { and not }
//! not        = [ not ] comparison
//! comparison = sum [ = sum | in [ any, ... ] | ... ]
//! sum        = product { + product }
//! product    = single { * single }
//! single     = ( any ) | [ any, ... ] | function( any, ... ) | field | constant
//! ```

use serde_json::{Number, Value};

use super::error::QueryError;
use super::expr::{Comparison, Expr, Sign};
use super::function::Function;
use super::path::Path;
use super::reader::{Reader, is_keyword};
use super::words::Word;

/// Reads one rule of the grammar.
type Rule = fn(&mut Reader) -> Result<Expr, QueryError>;

impl Reader {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Expr, QueryError> {
        self.deeper(|reader| reader.chain("or", Self::all, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, QueryError> {
        self.chain("and", Self::negation, Expr::All)
    }

    fn chain(
        &mut self,
        keyword: &str,
        part: Rule,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Expr, QueryError> {
        let first = part(self)?;
        if !self.take_keyword(keyword) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take_keyword(keyword) {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn negation(&mut self) -> Result<Expr, QueryError> {
        if !self.take_keyword("not") {
            return self.comparison();
        }
        let inner = self.deeper(Self::negation)?;
        Ok(Expr::Not(Box::new(inner)))
    }

    fn comparison(&mut self) -> Result<Expr, QueryError> {
        let left = self.sum()?;
        let mut comparisons = Comparison::ALL.into_iter();
        if let Some(comparison) = comparisons.find(|next| self.take_symbol(next.symbol())) {
            let right = self.sum()?;
            return Ok(Expr::Compare(Box::new(left), comparison, Box::new(right)));
        }
        let is_wanted = self.take_keyword("in");
        if !is_wanted && !self.take_keyword("nin") {
            return Ok(left);
        }
        if !self.take_symbol("[") {
            return Err(self.mistake("a list in square brackets is expected"));
        }
        Ok(Expr::In {
            value: Box::new(left),
            list: self.expressions("]")?,
            is_wanted,
        })
    }

    fn sum(&mut self) -> Result<Expr, QueryError> {
        self.arithmetic(&Sign::ADDITIVE, Self::product)
    }

    fn product(&mut self) -> Result<Expr, QueryError> {
        self.arithmetic(&Sign::MULTIPLICATIVE, Self::single)
    }

    fn arithmetic(&mut self, signs: &[Sign], part: Rule) -> Result<Expr, QueryError> {
        let first = part(self)?;
        let mut rest = Vec::new();
        while let Some(sign) = self.sign(signs) {
            rest.push((sign, part(self)?));
        }
        if rest.is_empty() {
            Ok(first)
        } else {
            Ok(Expr::Arithmetic(Box::new(first), rest))
        }
    }

    fn sign(&mut self, signs: &[Sign]) -> Option<Sign> {
        let mut signs = signs.iter().copied();
        signs.find(|next| self.take_symbol(next.symbol()))
    }

    fn single(&mut self) -> Result<Expr, QueryError> {
        if self.take_symbol("(") {
            let inner = self.expression()?;
            self.symbol(")")?;
            return Ok(inner);
        }
        if self.take_symbol("[") {
            return self.expressions("]").map(Expr::List);
        }
        match self.peek() {
            Some(Word::Text(text)) => {
                let text = text.clone();
                self.skip();
                Ok(Expr::Constant(Value::String(text)))
            }
            Some(Word::Number(_) | Word::Symbol("-")) => self.number(),
            Some(Word::Name(_)) => self.named(),
            _ => Err(self.mistake("a field, a value or a function is expected")),
        }
    }

    /// Expressions with commas between them, up to a closing bracket.
    fn expressions(&mut self, close: &str) -> Result<Vec<Expr>, QueryError> {
        let mut expressions = Vec::new();
        if self.take_symbol(close) {
            return Ok(expressions);
        }
        loop {
            expressions.push(self.expression()?);
            if self.take_symbol(close) {
                return Ok(expressions);
            }
            if !self.take_symbol(",") {
                return Err(self.mistake(format!("a comma or {close} is expected")));
            }
        }
    }

    fn number(&mut self) -> Result<Expr, QueryError> {
        let is_negative = self.take_symbol("-");
        let found = match self.peek() {
            Some(Word::Number(digits)) => number(digits, is_negative),
            _ => None,
        };
        let number = found.ok_or_else(|| self.mistake("a number is expected"))?;
        self.skip();
        Ok(Expr::Constant(Value::Number(number)))
    }

    /// What begins with a name: a constant, a function or a field.
    fn named(&mut self) -> Result<Expr, QueryError> {
        let constants = [
            ("true", Expr::Constant(true.into())),
            ("false", Expr::Constant(false.into())),
            ("null", Expr::Constant(Value::Null)),
            ("undefined", Expr::Undefined),
        ];
        for (keyword, constant) in constants {
            if self.take_keyword(keyword) {
                return Ok(constant);
            }
        }
        if self.is_call() {
            self.call()
        } else {
            self.path().map(Expr::Field)
        }
    }

    fn call(&mut self) -> Result<Expr, QueryError> {
        let found = match self.peek() {
            Some(Word::Name(name)) => Function::find(name),
            _ => None,
        };
        let function = found.ok_or_else(|| self.mistake("there is no such function"))?;
        let miscounted = self.mistake(format!(
            "{} takes another number of arguments",
            function.name()
        ));
        self.skip();
        self.symbol("(")?;
        let arguments = self.expressions(")")?;
        if function.takes(arguments.len()) {
            Ok(Expr::Call(function, arguments))
        } else {
            Err(miscounted)
        }
    }

    /// `tags.site`, `devices.tags.site`, `tags.[[my-tag]]`, `tags['my-tag']`.
    pub(super) fn path(&mut self) -> Result<Path, QueryError> {
        let foreign =
            self.mistake("a field of the collection that the query runs over is expected");
        let mut parts = vec![self.name("a field is expected")?];
        while let Some(part) = self.part()? {
            parts.push(part);
        }
        Path::within(parts, self.collection()).ok_or(foreign)
    }

    /// A further part of a path, if there is one.
    fn part(&mut self) -> Result<Option<String>, QueryError> {
        let is_after_dot = self.take_symbol(".");
        if self.take_symbol("[") {
            let Some(Word::Text(name)) = self.peek().cloned() else {
                return Err(self.mistake("a field's name in quotes is expected"));
            };
            self.skip();
            self.symbol("]")?;
            return Ok(Some(name));
        }
        if !is_after_dot {
            return Ok(None);
        }
        match self.peek() {
            Some(Word::Bracketed(name)) => {
                let name = name.clone();
                self.skip();
                Ok(Some(name))
            }
            Some(Word::Name(name)) if is_keyword(name) => Err(self.mistake(format!(
                "{name} is a keyword, a field of that name is written [[{name}]]"
            ))),
            _ => self.name("a field's name is expected").map(Some),
        }
    }
}

/// A number as JSON has it, or hexadecimal.
fn number(digits: &str, is_negative: bool) -> Option<Number> {
    let sign = if is_negative { "-" } else { "" };
    let hexadecimal = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let text = match hexadecimal {
        Some(digits) => format!("{sign}{}", u64::from_str_radix(digits, 16).ok()?),
        None => format!("{sign}{digits}"),
    };
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Expr, QueryError> {
        let mut reader = Reader::new(text)?;
        let expr = reader.expression()?;
        reader.end().map(|()| expr)
    }

    /// How an expression is written once it is understood: with the brackets that it needs.
    fn written(text: &str) -> String {
        read(text).unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn operators_bind_as_in_sql() {
        for text in [
            "a = 1 and b = 2 or not c = 3 and d",
            "(a or b) and (c or d)",
            "not (a and b)",
            "not not a",
            "1 + 2 * 3 - 4",
            "(1 + 2) * 3",
            "1 - (2 - 3)",
            "a + 1 >= b * -2.5",
            "(a = b) = true",
            "a in ['b', null, -1, [true]] or a nin []",
            "is_defined(tags.a) and substring(a, 1, 2) = 'b'",
        ] {
            assert_eq!(written(text), text);
        }
        assert_eq!(
            written("((a)) AND (b OR (C<>0x1f))"),
            "a and (b or C != 31)"
        );
        assert_eq!(written("(a and b) and c"), "(a and b) and c");
        assert_eq!(written("(a + b) + c"), "(a + b) + c");
        assert_eq!(written("starts_with(a,\"'\")"), r"startswith(a, '\'')");
    }

    #[test]
    fn paths_have_plain_and_bracketed_parts() {
        assert_eq!(
            written("properties.reported.['with space'].[[group]][\"x\"].$version"),
            "properties.reported.['with space'].['group'].x.$version"
        );
        assert_eq!(written("devices.tags.[[a-b]]"), "tags.['a-b']");
        assert_eq!(written("devices.[[group]]"), "devices.['group']");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, expected) in [
            ("", "character 1: a field, a value or a function"),
            ("a = ", "character 5: a field, a value or a function"),
            ("a = b = c", "character 7: an operator or the end"),
            ("a b", "character 3: an operator or the end"),
            ("(a", "character 3: ) is expected"),
            ("a in ('b')", "character 6: a list in square brackets"),
            ("a not in ['b']", "character 3: an operator or the end"),
            ("a in ['b' 'c']", "character 11: a comma or ] is expected"),
            ("tags.group = 1", "character 6: group is a keyword"),
            ("tags. = 1", "character 7: a field's name"),
            ("tags[0]", "character 6: a field's name in quotes"),
            ("abs(1)", "character 1: there is no such function"),
            ("length()", "character 1: length takes another number"),
            ("where = 1", "character 1: a field is expected"),
            ("devices = 1", "character 1: a field of the collection"),
            (
                "devices.jobs.jobId = 1",
                "character 1: a field of the collection",
            ),
            ("a = -b", "character 6: a number"),
            ("a = 007", "character 5: a number"),
            ("a = 1e999", "character 5: a number"),
            ("a = 0xg", "character 5: a number"),
            ("a = 5x", "character 5: a number"),
        ] {
            let error = refused(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_has_a_limit_and_length_has_not() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(written(&nested(63)), "a");
        for text in [
            nested(64),
            "(".repeat(60_000),
            "[".repeat(60_000),
            "not ".repeat(15_000),
            "lower(".repeat(10_000),
        ] {
            assert!(refused(&text).contains("nested too deeply"));
        }
        for text in ["a = 1 and ", "a or ", "1 + ", "2 * "] {
            let text = format!("{}a", text.repeat(60_000 / text.len()));
            assert_eq!(written(&text), text);
        }
        assert!(refused(&"a".repeat(64 * 1024 + 1)).contains("at most 64 KB"));
    }
}
