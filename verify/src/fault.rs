//! What ends a proof without its theorem.

use std::fmt;

use crate::algebra::NotLinear;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The result is not that of the specification.
    Wrong,
    /// Memory that is not the call's to read or write.
    Bounds,
    /// A branch, an address, a count or a table's place depends on a key, a tweak, data, or on what is not initialised.
    Secret,
    /// A value that is no sum of base bits was needed.
    NotLinear,
    /// No model for an instruction, or none for this use of it.
    NoModel,
    /// The call breaks the rules of the platform: registers that are not restored, misaligned accesses, code outside.
    Convention,
    /// The call returns another status.
    Status,
    /// It goes on and on.
    Endless,
    /// Something is left behind in registers or on the stack.
    Left,
    /// The file is not one that this program can load.
    File,
}

/// A fault, and what is known about it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its kind.
    pub kind: Kind,
    /// In words.
    pub text: String,
    /// The instruction's address in the library, if one is to blame.
    pub at: Option<u64>,
}

/// What may end in a fault.
pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A fault with no instruction to blame yet.
    pub fn new(kind: Kind, text: impl Into<String>) -> Fault {
        Fault { kind, text: text.into(), at: None }
    }

    /// That something public is not.
    pub fn secret(what: &str) -> Fault {
        Fault::new(Kind::Secret, format!("{what} depends on secrets or on uninitialised memory"))
    }

    /// That there is no model.
    pub fn no_model(what: impl Into<String>) -> Fault {
        Fault::new(Kind::NoModel, what)
    }
}

impl From<NotLinear> for Fault {
    fn from(NotLinear: NotLinear) -> Fault {
        Fault::new(Kind::NotLinear, "the result is no sum of known and unknown bits")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}
