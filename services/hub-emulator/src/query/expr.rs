//! Expressions as they were understood, and how they are written.
//!
//! Keeps true: what is written reads back as the same expression, with no deeper nesting than it
//! had before. Chains of `and`, `or`, `+` and `*` are flat, so that only brackets, `not` and
//! arguments nest, and those the reader counts.

use std::fmt::{self, Display};

use serde_json::Value;

use super::function::Function;
use super::path::Path;

/// Something that has a value for a row, or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// Null, a boolean, a number or a text.
    Constant(Value),
    /// The constant `undefined`.
    Undefined,
    /// `[a, b]`.
    List(Vec<Expr>),
    /// A field of the row.
    Field(Path),
    /// A function and its arguments, as many as it takes.
    Call(Function, Vec<Expr>),
    /// `a + b - c`, or `a * b / c`: all signs are of one kind.
    Arithmetic(Box<Expr>, Vec<(Sign, Expr)>),
    /// `a < b`.
    Compare(Box<Expr>, Comparison, Box<Expr>),
    /// `a in [b, c]`, or `a nin [b, c]`.
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
        is_wanted: bool,
    },
    /// `not a`.
    Not(Box<Expr>),
    /// `a and b`, two or more.
    All(Vec<Expr>),
    /// `a or b`, two or more.
    Any(Vec<Expr>),
}

/// A comparison's sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    pub(super) const ALL: [Self; 6] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
    ];

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// A sign of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
    Times,
    DividedBy,
    Modulo,
}

impl Sign {
    /// Those that bind less.
    pub(super) const ADDITIVE: [Self; 2] = [Self::Plus, Self::Minus];
    /// Those that bind more.
    pub(super) const MULTIPLICATIVE: [Self; 3] = [Self::Times, Self::DividedBy, Self::Modulo];

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::DividedBy => "/",
            Self::Modulo => "%",
        }
    }
}

/// How much an expression binds; where more is needed it stands in brackets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Any,
    All,
    Not,
    Comparison,
    Sum,
    Product,
    Single,
}

impl Expr {
    fn binding(&self) -> Binding {
        match self {
            Self::Any(_) => Binding::Any,
            Self::All(_) => Binding::All,
            Self::Not(_) => Binding::Not,
            Self::Compare(..) | Self::In { .. } => Binding::Comparison,
            Self::Arithmetic(_, rest) => match rest.first() {
                Some((Sign::Plus | Sign::Minus, _)) => Binding::Sum,
                _ => Binding::Product,
            },
            Self::Constant(_)
            | Self::Undefined
            | Self::List(_)
            | Self::Field(_)
            | Self::Call(..) => Binding::Single,
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(Value::String(text)) => Quoted(text).fmt(f),
            Self::Constant(value) => value.fmt(f),
            Self::Undefined => f.write_str("undefined"),
            Self::List(items) => write!(f, "[{}]", Joined(items, ", ", Binding::Any)),
            Self::Field(path) => path.fmt(f),
            Self::Call(function, arguments) => {
                let arguments = Joined(arguments, ", ", Binding::Any);
                write!(f, "{}({arguments})", function.name())
            }
            Self::Arithmetic(first, rest) => {
                let least = match self.binding() {
                    Binding::Sum => Binding::Product,
                    _ => Binding::Single,
                };
                AtLeast(first, least).fmt(f)?;
                rest.iter().try_for_each(|(sign, part)| {
                    write!(f, " {} {}", sign.symbol(), AtLeast(part, least))
                })
            }
            Self::Compare(left, comparison, right) => {
                let (left, right) = (AtLeast(left, Binding::Sum), AtLeast(right, Binding::Sum));
                write!(f, "{left} {} {right}", comparison.symbol())
            }
            Self::In {
                value,
                list,
                is_wanted,
            } => {
                let keyword = if *is_wanted { "in" } else { "nin" };
                let value = AtLeast(value, Binding::Sum);
                write!(
                    f,
                    "{value} {keyword} [{}]",
                    Joined(list, ", ", Binding::Any)
                )
            }
            Self::Not(inner) => write!(f, "not {}", AtLeast(inner, Binding::Not)),
            Self::All(parts) => Joined(parts, " and ", Binding::Not).fmt(f),
            Self::Any(parts) => Joined(parts, " or ", Binding::All).fmt(f),
        }
    }
}

/// An expression, in brackets if it binds less.
struct AtLeast<'a>(&'a Expr, Binding);

impl Display for AtLeast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.binding() < self.1 {
            write!(f, "({})", self.0)
        } else {
            self.0.fmt(f)
        }
    }
}

/// Expressions with something between them, in brackets where they bind less.
struct Joined<'a>(&'a [Expr], &'static str, Binding);

impl Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(parts, between, least) = self;
        parts.iter().enumerate().try_for_each(|(index, part)| {
            f.write_str(if index == 0 { "" } else { between })?;
            AtLeast(part, *least).fmt(f)
        })
    }
}

/// A text as a query has it.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = self.0.replace('\\', r"\\").replace('\'', r"\'");
        write!(f, "'{escaped}'")
    }
}
