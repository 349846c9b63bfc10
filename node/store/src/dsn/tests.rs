use super::*;
use proptest::prelude::*;

fn place(text: &str) -> String {
    text.parse::<Dsn>().unwrap().place().to_owned()
}

#[test]
fn every_known_form_is_understood() {
    assert_eq!(place("sqlite:/data/d0.db"), "/data/d0.db");
    assert_eq!(place("sqlite:///data/d0.db"), "/data/d0.db");
    assert_eq!(place("sqlite:d0.db"), "d0.db");
    assert_eq!(place("postgres://tim:s@db1:5433/tim"), "db1:5433");
    assert_eq!(place("postgresql://tim@db1/tim"), "db1:5432");
    assert_eq!(place("mysql://tim:s@db2/tim"), "db2:3306");
    assert_eq!(place("mariadb://tim:s@db2:3307/tim"), "db2:3307");
    assert_eq!("mariadb://a@b/c".parse::<Dsn>().unwrap().engine(), Engine::MySql);
}

#[test]
fn an_unknown_scheme_names_the_known_ones_and_hides_the_password() {
    let error = "postgre://tim:hunter2@db/tim".parse::<Dsn>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"postgre://tim:***@db/tim\" has an unknown scheme. Known: sqlite, postgres, postgresql, mysql, mariadb"
    );
    assert!(matches!("".parse::<Dsn>(), Err(BadDsn::UnknownScheme { .. })));
}

#[test]
fn incomplete_addresses_say_what_is_missing() {
    for (text, part) in [
        ("sqlite:", "names no file"),
        ("sqlite::memory:", "in memory"),
        ("sqlite:d0.db?mode=ro", "no parameters"),
        ("postgres://tim@db", "names no database"),
        ("mysql:tim", "expected scheme://"),
        ("postgres://tim@db:99999/tim", "port"),
    ] {
        let error = text.parse::<Dsn>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn no_password_is_ever_shown(password in "[a-zA-Z0-9/?#&:@ =]{6,20}", scheme in "(postgres|mysql|postgre)") {
        let text = format!("{scheme}://user:CANARY{password}@host:77x/db");
        let shown = match text.parse::<Dsn>() {
            Ok(dsn) => format!("{dsn:?}"),
            Err(error) => error.to_string(),
        };
        prop_assert!(!shown.contains("CANARY"), "{shown}");
    }
}
