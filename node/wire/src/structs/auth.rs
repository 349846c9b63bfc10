//! Who wants to register or log in.

use std::collections::BTreeMap;
use std::fmt;

use super::Token;
use crate::wire_struct::wire_struct;

wire_struct! {
    /// Credentials: name and password, or a token.
    pub struct TimAuth {
        /// Login name.
        optional 1 "name" name: String,
        /// Password.
        optional 2 "pwd" pwd: String,
        /// Namespace of the name.
        optional 3 "domain" domain: String,
        /// Free text about the device.
        optional 4 "resource" resource: String,
        /// Class of the device.
        optional 5 "termtyp" termtyp: i8,
        /// One-time token instead of a password.
        optional 6 "token" token: Token,
        /// For applications.
        optional 7 "extend" extend: BTreeMap<String, String>,
    }
}

/// Says what is there, never what it is.
impl fmt::Debug for TimAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = |there: bool| if there { "given" } else { "absent" };
        formatter
            .debug_struct("TimAuth")
            .field("name", &given(self.name.is_some()))
            .field("pwd", &given(self.pwd.is_some()))
            .field("token", &given(self.token.is_some()))
            .field("termtyp", &self.termtyp)
            .finish_non_exhaustive()
    }
}
