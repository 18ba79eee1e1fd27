//! A query as it was understood, and how it is written.

use std::fmt::{self, Display};

use super::expr::Expr;
use super::path::Path;

/// What a query runs over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Collection {
    /// Twins of devices.
    #[default]
    Devices,
    /// Twins of modules.
    Modules,
    /// What scheduled jobs did, a row for each device.
    Jobs,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// The most rows.
    pub(super) top: Option<usize>,
    pub(super) selection: Selection,
    pub(super) collection: Collection,
    pub(super) condition: Option<Expr>,
    pub(super) group: Option<Path>,
}

/// What a row of the answer has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selection {
    /// All of a row.
    Everything,
    /// These, and no two of one name.
    Columns(Vec<Column>),
}

/// A column of the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    /// A field of the row.
    Field { path: Path, alias: Option<String> },
    /// How many rows there are.
    Count { name: String },
    /// Something made of a field of many rows.
    Aggregate {
        aggregate: Aggregate,
        path: Path,
        name: String,
    },
}

/// What is made of a field of many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Average,
    Sum,
    Least,
    Greatest,
}

impl Aggregate {
    pub(super) const ALL: [Self; 4] = [Self::Average, Self::Sum, Self::Least, Self::Greatest];

    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Average => "avg",
            Self::Sum => "sum",
            Self::Least => "min",
            Self::Greatest => "max",
        }
    }
}

impl Column {
    /// The name that it has in the answer, as far as the query says.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Field { path, alias } => alias.as_deref().unwrap_or_else(|| path.last()),
            Self::Count { name } | Self::Aggregate { name, .. } => name,
        }
    }
}

impl Query {
    pub(crate) fn collection(&self) -> Collection {
        self.collection
    }

    /// What the header `x-ms-item-type` says of the rows.
    pub(crate) fn item_type(&self) -> &'static str {
        match (&self.selection, self.collection) {
            (Selection::Columns(_), _) => "Raw",
            (Selection::Everything, Collection::Jobs) => "DeviceJob",
            (Selection::Everything, _) => "Twin",
        }
    }

    /// Whether rows of the answer are made of fields that the query names.
    pub(crate) fn is_projection(&self) -> bool {
        !self.columns().is_empty()
    }

    /// The columns; none where a row is answered as it is.
    pub(super) fn columns(&self) -> &[Column] {
        match &self.selection {
            Selection::Everything => &[],
            Selection::Columns(columns) => columns,
        }
    }

    /// Whether rows of the answer are made of many rows each.
    pub(super) fn is_aggregate(&self) -> bool {
        let is_field = |column: &Column| matches!(column, Column::Field { .. });
        self.group.is_some() || !self.columns().iter().all(is_field)
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("select ")?;
        if let Some(top) = self.top {
            write!(f, "top {top} ")?;
        }
        write!(f, "{} from {}", self.selection, self.collection)?;
        if let Some(condition) = &self.condition {
            write!(f, " where {condition}")?;
        }
        match &self.group {
            Some(group) => write!(f, " group by {group}"),
            None => Ok(()),
        }
    }
}

impl Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Columns(columns) => columns.iter().enumerate().try_for_each(|(index, column)| {
                f.write_str(if index == 0 { "" } else { ", " })?;
                column.fmt(f)
            }),
        }
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { path, alias: None } => path.fmt(f),
            Self::Field {
                path,
                alias: Some(alias),
            } => write!(f, "{path} as {alias}"),
            Self::Count { name } => write!(f, "count() as {name}"),
            Self::Aggregate {
                aggregate,
                path,
                name,
            } => write!(f, "{}({path}) as {name}", aggregate.keyword()),
        }
    }
}

impl Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Modules => "devices.modules",
            Self::Jobs => "devices.jobs",
        })
    }
}
