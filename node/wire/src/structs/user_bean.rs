//! The profile of an account.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::wire_struct::wire_struct;

wire_struct! {
    /// A profile. Number 3 was never used.
    #[derive(Debug)]
    pub struct TimUserBean {
        /// Name.
        optional 1 "name" name: String,
        /// Nickname.
        optional 2 "nickName" nick_name: String,
        /// Birthday; the name on the wire is misspelled and stays so.
        optional 4 "brithday" birthday: String,
        /// Gender, as applications agree.
        optional 5 "gender" gender: i8,
        /// Picture.
        optional 6 "cover" cover: String,
        /// Region.
        optional 7 "area" area: String,
        /// When the account was made.
        optional 8 "createtime" create_time: i64,
        /// Pictures.
        optional 9 "photoTidAlbum" photo_tid_album: Vec<String>,
        /// For applications.
        optional 10 "extend" extend: BTreeMap<String, String>,
        /// For applications.
        optional 11 "extra" extra: BTreeMap<String, Bytes>,
    }
}
