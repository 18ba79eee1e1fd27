//! The classes of calls: as the table names them, and as places in an array.

use hubshift_azure::quota::OperationClass;

/// How many there are.
pub(super) const COUNT: usize = 6;

/// As `registry.budget` and plans have it.
pub(crate) fn name(class: OperationClass) -> &'static str {
    match class {
        OperationClass::Registry => "registry",
        OperationClass::Query => "query",
        OperationClass::TwinRead => "twin_read",
        OperationClass::TwinWrite => "twin_write",
        OperationClass::Job => "job",
        OperationClass::Configuration => "configuration",
    }
}

/// Its place, less than [`COUNT`].
pub(super) fn index(class: OperationClass) -> usize {
    match class {
        OperationClass::Registry => 0,
        OperationClass::Query => 1,
        OperationClass::TwinRead => 2,
        OperationClass::TwinWrite => 3,
        OperationClass::Job => 4,
        OperationClass::Configuration => 5,
    }
}
