//! Laws of the language: no text makes the parser panic, and what is written reads back.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Number, Value};

use super::expr::{Comparison, Expr, Sign};
use super::function::{FUNCTIONS, Function};
use super::path::Path;
use super::statement::{Aggregate, Collection, Column, Query, Selection};

/// Pieces of queries, good and bad, to be strewn about.
const PIECES: [&str; 44] = [
    "select",
    "top",
    "*",
    "from",
    "devices",
    ".",
    "modules",
    "where",
    "group",
    "by",
    "as",
    "and",
    "or",
    "not",
    "in",
    "nin",
    "true",
    "null",
    "undefined",
    "(",
    ")",
    "[",
    "]",
    "[[",
    "]]",
    ",",
    "'",
    "\"",
    "\\u12",
    "''",
    "0x",
    "1e",
    "-",
    "5",
    "=",
    "<>",
    "!",
    "%",
    "tags",
    "$x",
    "ä",
    "count",
    "length",
    "\u{0}",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z$_][a-zA-Z0-9_]{0,5}",
        1 => any::<String>(),
        1 => select(vec!["group", "devices", "modules", "jobs", "true", "Select", ""])
            .prop_map(str::to_owned),
    ]
}

fn path() -> impl Strategy<Value = Path> {
    vec(name(), 1..4).prop_filter_map("a path has parts", Path::new)
}

fn constant() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("finite", Number::from_f64)
            .prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ]
}

/// A function with as many arguments as it takes.
fn called((name, mut arguments): (&str, Vec<Expr>)) -> Option<Expr> {
    let function = Function::find(name)?;
    let count = (1..=arguments.len()).find(|count| function.takes(*count))?;
    arguments.truncate(count);
    Some(Expr::Call(function, arguments))
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        constant().prop_map(Expr::Constant),
        Just(Expr::Undefined),
        path().prop_map(Expr::Field),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let some = |least: usize| vec(inner.clone(), least..4);
        let names: Vec<_> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
        let chain = |signs: Vec<Sign>| {
            (boxed(), vec((select(signs), inner.clone()), 1..4))
                .prop_map(|(first, rest)| Expr::Arithmetic(first, rest))
        };
        prop_oneof![
            some(0).prop_map(Expr::List),
            (select(names), vec(inner.clone(), 3)).prop_filter_map("its arguments", called),
            chain(Sign::ADDITIVE.to_vec()),
            chain(Sign::MULTIPLICATIVE.to_vec()),
            (boxed(), select(Comparison::ALL.to_vec()), boxed())
                .prop_map(|(left, sign, right)| Expr::Compare(left, sign, right)),
            (boxed(), some(0), any::<bool>()).prop_map(|(value, list, is_wanted)| Expr::In {
                value,
                list,
                is_wanted
            }),
            boxed().prop_map(Expr::Not),
            some(2).prop_map(Expr::All),
            some(2).prop_map(Expr::Any),
        ]
    })
}

/// Columns whose names cannot meet: the first has that of its path, the others are numbered.
fn columns() -> impl Strategy<Value = Selection> {
    vec(path(), 1..4).prop_map(|paths| {
        let column = |(index, path): (usize, Path)| Column::Field {
            path,
            alias: (index > 0).then(|| format!("column_{index}")),
        };
        Selection::Columns(paths.into_iter().enumerate().map(column).collect())
    })
}

fn plain_query() -> impl Strategy<Value = Query> {
    let everything = select(vec![
        Collection::Devices,
        Collection::Modules,
        Collection::Jobs,
    ])
    .prop_map(|collection| (Selection::Everything, collection));
    let some = (
        columns(),
        select(vec![Collection::Devices, Collection::Modules]),
    );
    let what = prop_oneof![everything, some];
    (what, option::of(0_usize..2000), option::of(expr())).prop_map(
        |((selection, collection), top, condition)| Query {
            top,
            selection,
            collection,
            condition,
            group: None,
        },
    )
}

fn grouped_query() -> impl Strategy<Value = Query> {
    let aggregate = (select(Aggregate::ALL.to_vec()), path());
    (option::of(path()), vec(aggregate, 0..3), option::of(expr())).prop_map(
        |(group, aggregates, condition)| {
            let field = group
                .clone()
                .map(|path| Column::Field { path, alias: None });
            let count = Column::Count {
                name: "column_count".to_owned(),
            };
            let aggregates = aggregates.into_iter().enumerate();
            let aggregates = aggregates.map(|(index, (aggregate, path))| Column::Aggregate {
                aggregate,
                path,
                name: format!("column_{index}"),
            });
            let columns = field.into_iter().chain([count]).chain(aggregates);
            Query {
                top: None,
                selection: Selection::Columns(columns.collect()),
                collection: Collection::Devices,
                condition,
                group,
            }
        },
    )
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = Query::parse(&text);
        let _ = Query::parse(&format!("select * from devices where {text}"));
    }

    #[test]
    fn no_heap_of_pieces_makes_the_parser_panic(
        pieces in vec(select(PIECES.to_vec()), 0..40),
        between in select(vec!["", " "]),
    ) {
        let text = pieces.join(between);
        let _ = Query::parse(&text);
        let _ = Query::parse(&format!("select * from devices where {text}"));
    }

    #[test]
    fn what_is_written_reads_back(query in prop_oneof![plain_query(), grouped_query()]) {
        let text = query.to_string();
        prop_assert_eq!(Query::parse(&text), Ok(query), "{}", text);
    }
}

#[test]
fn a_row_of_any_shape_can_be_asked() {
    let query = "select * from devices where tags.a.b = 1 or is_defined(tags.['x'])";
    let query = Query::parse(query).unwrap();
    for row in [Value::Null, Value::from(1), Value::from(vec![1])] {
        assert!(!query.matches(&row));
    }
}
