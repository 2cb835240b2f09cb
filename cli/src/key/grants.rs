//! `atrest key grant` and `grants`.

use std::path::Path;

use atrest::keys::{EncryptionContext, GrantDescription, GrantRequest, KeyRef, Operation, block_on};
use serde_json::{Value, json};

use super::administer;
use crate::failure::{Failure, say};
use crate::text::{Table, date, escaped_json};
use crate::{opening, stdout};

pub fn grant(
    key: &KeyRef,
    principal: &str,
    volume: Option<&Path>,
    operations: &[Operation],
    name: Option<&str>,
    retiring: Option<&str>,
) -> Result<(), Failure> {
    let mut request = GrantRequest::to_open(principal);
    request.operations = operations.to_vec();
    request.name = name.map(str::to_owned);
    request.retiring_principal = retiring.map(str::to_owned);
    if let Some(path) = volume {
        request.context = Some(EncryptionContext::for_volume(opening::envelope_of(path)?.volume()));
    }
    let grant = administer(key, |admin| block_on(admin.grant(key.key(), &request)))?;
    let limit = volume.map_or("all volumes".to_owned(), |path| format!("the volume {}", path.display()));
    say(&format!(
        "granted {principal} the use of {key} for {limit}; it takes a few minutes to take effect everywhere, or none with \
         the token in ATREST_GRANT_TOKENS"
    ));
    let mut table = Table::default();
    table.row("Grant", &grant.id);
    grant.token.iter().for_each(|token| table.row("Token", token));
    stdout::print(&table.0)
}

pub fn list(key: &KeyRef, json: bool) -> Result<(), Failure> {
    let grants = administer(key, |admin| block_on(admin.grants(key.key())))?;
    if json {
        let grants: Vec<Value> = grants.iter().map(facts).collect();
        return stdout::print(&escaped_json(&json!(grants)));
    }
    let mut table = Table::default();
    for grant in &grants {
        table.row("Grant", &grant.id);
        let optional = [
            ("Name", grant.name.as_deref()),
            ("To", grant.principal.as_deref()),
            ("Retiring", grant.retiring_principal.as_deref()),
        ];
        for (name, value) in optional {
            value.iter().for_each(|value| table.row(name, value));
        }
        table.row("For", grant.operations.join(", "));
        for (name, value) in &grant.constraint {
            table.row("Only", format_args!("{name} = {value}"));
        }
        grant.created.iter().for_each(|seconds| table.row("Created", date(*seconds)));
        table.0.push('\n');
    }
    stdout::print(&table.0)
}

fn facts(grant: &GrantDescription) -> Value {
    let constraint: Value =
        grant.constraint.iter().cloned().map(|(name, value)| (name, json!(value))).collect();
    json!({
        "id": grant.id,
        "name": grant.name,
        "principal": grant.principal,
        "retiring_principal": grant.retiring_principal,
        "operations": grant.operations,
        "context": constraint,
        "context_exact": grant.exact,
        "created": grant.created.map(date),
    })
}
