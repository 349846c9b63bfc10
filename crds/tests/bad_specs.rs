//! Every bad spec of the table is refused, in the words that the table gives.

use tim_crds::{
    TimCluster, TimRepartition,
    document::{Document, Object, read},
    testing::{BadSpec, bad_specs},
};

fn parse(case: &BadSpec, spec: &serde_json::Value) -> Result<Document, String> {
    let text = serde_json::to_string(&case.object(spec)).map_err(|error| error.to_string())?;
    let documents = read("bad.yaml", &text).map_err(|problems| problems.to_string())?;
    documents
        .objects
        .into_iter()
        .next()
        .ok_or_else(|| "nothing read".to_owned())
}

fn judge(case: &BadSpec) -> Result<(), String> {
    let new = parse(case, &case.spec)?;
    let Some(old) = &case.old else { return Ok(()) };
    let old = parse(case, old)?;
    let changed = match (&old.object, &new.object) {
        (Object::Cluster(old), Object::Cluster(new)) => new_problem::<TimCluster>(old, new),
        (Object::Repartition(old), Object::Repartition(new)) => new_problem::<TimRepartition>(old, new),
        other => return Err(format!("kinds differ: {other:?}")),
    };
    return changed;

    fn new_problem<T: kube::Resource<DynamicType = ()> + serde::Serialize>(
        old: &T,
        new: &T,
    ) -> Result<(), String> {
        tim_crds::document::Origin::default()
            .check_change(old, new)
            .map_err(|problems| problems.to_string())
    }
}

#[test]
fn every_bad_spec_is_refused_in_these_words() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for case in bad_specs()? {
        let expected = case
            .message
            .clone()
            .or_else(|| case.local.clone())
            .unwrap_or_default();
        // A code in front of the text moves in front of the file.
        let (code, text) = match expected.split_once(' ') {
            Some((code, text)) if code.starts_with("TIM-") => (code.to_owned(), text.to_owned()),
            _ => ("TIM-".to_owned(), expected.clone()),
        };
        match judge(&case) {
            Ok(()) => wrong.push(format!("{}: accepted", case.name)),
            Err(said) if said.starts_with(&code) && said.ends_with(&text) && !said.contains('\n') => {}
            Err(said) => wrong.push(format!("{}:\n  said   {said}\n  wanted {expected}", case.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_code_is_in_the_catalogue() -> anyhow::Result<()> {
    for case in bad_specs()? {
        if let Some(message) = &case.message {
            let code = message.split(' ').next().unwrap_or_default();
            assert!(tim_catalogue::find(code).is_some(), "{code} of {:?}", case.name);
        } else {
            assert!(
                case.local.is_some() && case.server.is_some(),
                "{} needs a message, or one of each side",
                case.name
            );
        }
    }
    Ok(())
}
