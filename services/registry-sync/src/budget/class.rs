//! The classes of calls as places in an array.

use hubshift_azure::quota::OperationClass;

/// How many there are.
pub(super) const COUNT: usize = 6;

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
