//! The least that a key's policy, or an identity's, must say: which actions each role takes, under which conditions. The check
//! of a key tries the same ones.

use super::Arn;
use atrest::keys::{EncryptionContext, KeyPolicies, KeyRole, Policy, PolicyRequest};
use serde_json::{Map, Value, json};

pub const DECRYPT: &str = "kms:Decrypt";
pub const GENERATE: &str = "kms:GenerateDataKeyWithoutPlaintext";
pub const DESCRIBE: &str = "kms:DescribeKey";
pub const RE_ENCRYPT_FROM: &str = "kms:ReEncryptFrom";
pub const RE_ENCRYPT_TO: &str = "kms:ReEncryptTo";
pub const CREATE_GRANT: &str = "kms:CreateGrant";
pub const ENCRYPT: &str = "kms:Encrypt";
pub const LIST_ALIASES: &str = "kms:ListAliases";

/// What a grant may allow that somebody in the role of a granter makes.
const GRANTED: [&str; 4] = ["Decrypt", "GenerateDataKeyWithoutPlaintext", "DescribeKey", "RetireGrant"];

/// A statement: its name, its actions, and the condition under which it holds.
struct Statement(&'static str, &'static [&'static str], Condition);

#[derive(Clone, Copy)]
enum Condition {
    /// The request carries a volume's encryption context.
    Volume,
    /// The grant is limited to a volume, and to what volumes need.
    Grant,
    None,
}

/// What a role needs, and what serves its convenience.
fn statements(role: KeyRole) -> (&'static [Statement], &'static [Statement]) {
    use Condition::{Grant, None, Volume};
    match role {
        KeyRole::Node => (
            &[Statement("AtrestOpen", &[DECRYPT], Volume)],
            // An error then says why a key does not open: that it is disabled, or when it will be deleted.
            &[Statement("AtrestDescribe", &[DESCRIBE], None)],
        ),
        KeyRole::Creator => (
            &[
                Statement("AtrestCreate", &[DECRYPT, GENERATE], Volume),
                Statement("AtrestDescribe", &[DESCRIBE], None),
            ],
            &[Statement("AtrestPick", &[LIST_ALIASES], None)],
        ),
        KeyRole::Owner => (
            &[
                Statement("AtrestRewrap", &[RE_ENCRYPT_FROM, RE_ENCRYPT_TO], Volume),
                Statement("AtrestDescribe", &[DESCRIBE], None),
            ],
            // To see a new wrapping open, to add a slot, and to come from another service or region.
            &[
                Statement("AtrestMove", &[DECRYPT, ENCRYPT], Volume),
                Statement("AtrestPick", &[LIST_ALIASES], None),
            ],
        ),
        KeyRole::Granter => (
            &[
                Statement("AtrestGrant", &[CREATE_GRANT], Grant),
                Statement("AtrestDescribe", &[DESCRIBE], None),
            ],
            &[Statement("AtrestWithdraw", &["kms:ListGrants", "kms:RevokeGrant"], None)],
        ),
        // A role that is newer than this provider.
        _ => (&[], &[]),
    }
}

/// The roles that need an action.
pub fn roles_of(action: &str) -> Vec<KeyRole> {
    let needs =
        |role: &KeyRole| statements(*role).0.iter().any(|Statement(_, actions, _)| actions.contains(&action));
    KeyRole::ALL.into_iter().filter(needs).collect()
}

/// The least policies for the use of the key with this ARN in a role. `None` for a text that is no ARN of a key.
///
/// Each is JSON: statements to be added to the key's own policy, and whole policies for the IAM identity that uses it.
/// Cryptographic use is limited to requests that carry a volume's encryption context, of one volume where the request names
/// it; and grants to those that are limited to a volume, and to what a volume needs.
pub fn policies(key: &str, request: &PolicyRequest) -> Option<KeyPolicies> {
    let arn = Arn::parse(key)?;
    arn.key_id()?;
    let account = || format!("arn:{}:iam::{}:root", arn.partition, arn.account);
    let principal = request.principal.clone().unwrap_or_else(account);
    let in_context = || match request.volume {
        Some(volume) => {
            let name = format!("kms:EncryptionContext:{}", EncryptionContext::VOLUME);
            ("StringEquals", Map::from_iter([(name, json!(volume.hyphenated().to_string()))]))
        }
        None => {
            let names = json!([EncryptionContext::VOLUME]);
            ("ForAnyValue:StringEquals", Map::from_iter([("kms:EncryptionContextKeys".to_owned(), names)]))
        }
    };
    let condition = |condition: Condition| match condition {
        Condition::None => None,
        Condition::Volume => {
            let (operator, keys) = in_context();
            Some(json!({ operator: keys }))
        }
        Condition::Grant => {
            let mut all = json!({
                "ForAllValues:StringEquals": { "kms:GrantOperations": GRANTED },
                "StringEquals": { "kms:GrantConstraintType": "EncryptionContextSubset" },
            });
            let (operator, keys) = in_context();
            for (name, value) in keys {
                all[operator][name] = value;
            }
            Some(all)
        }
    };
    let statement = |Statement(sid, actions, when): &Statement, resource: &str| {
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource });
        if let Some(condition) = condition(*when) {
            statement["Condition"] = condition;
        }
        statement
    };
    let of_account = |statement: &Statement| statement.1 == [LIST_ALIASES];
    let for_key = |parts: &[Statement]| -> String {
        let with_principal = |part| {
            // In a key's policy this key is the only resource.
            let mut statement = statement(part, "*");
            statement["Principal"] = json!({ "AWS": principal });
            statement
        };
        // Aliases are listed by account, so no key's policy can allow it.
        parts.iter().filter(|part| !of_account(part)).map(with_principal).collect::<Value>().to_string()
    };
    let for_identity = |parts: &[Statement]| -> String {
        let statements: Vec<Value> =
            parts.iter().map(|part| statement(part, if of_account(part) { "*" } else { key })).collect();
        json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
    };
    let (required, optional) = statements(request.role);
    Some(KeyPolicies::new(
        Some(Policy::new(for_key(required), for_key(optional))),
        Some(Policy::new(for_identity(required), for_identity(optional))),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    const USER: &str = "arn:aws:iam::111122223333:role/storage";

    /// Statements of the key's policy and of the identity's, required and optional.
    fn parsed(request: &PolicyRequest) -> [[Value; 2]; 2] {
        let policies = policies(KEY, request).unwrap();
        [policies.of_key.unwrap(), policies.of_identity.unwrap()]
            .map(|policy| [policy.required, policy.optional].map(|text| serde_json::from_str(&text).unwrap()))
    }

    fn actions(statements: &Value) -> Vec<&str> {
        let statements = statements.as_array().unwrap().iter();
        statements
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect()
    }

    #[test]
    fn each_role_has_what_it_needs_and_no_more() {
        let cases: [(KeyRole, &[&str], &[&str]); 4] = [
            (KeyRole::Node, &[DECRYPT], &[DESCRIBE]),
            (KeyRole::Creator, &[DECRYPT, GENERATE, DESCRIBE], &[LIST_ALIASES]),
            (KeyRole::Owner, &[RE_ENCRYPT_FROM, RE_ENCRYPT_TO, DESCRIBE], &[DECRYPT, ENCRYPT, LIST_ALIASES]),
            (KeyRole::Granter, &[CREATE_GRANT, DESCRIBE], &["kms:ListGrants", "kms:RevokeGrant"]),
        ];
        for (role, required, optional) in cases {
            let mut request = PolicyRequest::new(role);
            request.principal = Some(USER.to_owned());
            let [of_key, of_identity] = parsed(&request);
            assert_eq!(actions(&of_key[0]), required, "{role}");
            let of_keys: Vec<&str> =
                optional.iter().copied().filter(|action| *action != LIST_ALIASES).collect();
            assert_eq!(actions(&of_key[1]), of_keys, "{role}");
            assert_eq!(actions(&of_identity[0]["Statement"]), required, "{role}");
            assert_eq!(actions(&of_identity[1]["Statement"]), optional, "{role}");
            assert_eq!(of_key[0][0]["Principal"]["AWS"], USER);
            assert_eq!(of_identity[0]["Statement"][0]["Resource"], KEY);
        }
        assert_eq!(roles_of(CREATE_GRANT), [KeyRole::Granter]);
        assert_eq!(roles_of(DECRYPT), [KeyRole::Node, KeyRole::Creator]);
        assert_eq!(roles_of(RE_ENCRYPT_TO), [KeyRole::Owner]);
        assert_eq!(roles_of(ENCRYPT), []);
    }

    #[test]
    fn use_is_limited_to_volumes_or_to_one() {
        let volume = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
        for role in KeyRole::ALL {
            let [[required, optional], _] = parsed(&PolicyRequest::new(role));
            let mut one = PolicyRequest::new(role);
            one.volume = Some(volume.parse().unwrap());
            let [[limited, _], _] = parsed(&one);
            let with_conditions = required.as_array().unwrap().iter().chain(optional.as_array().unwrap());
            for statement in with_conditions {
                let free = ["AtrestDescribe", "AtrestPick", "AtrestWithdraw"]
                    .contains(&statement["Sid"].as_str().unwrap());
                assert_eq!(statement["Condition"].is_null(), free, "{statement}");
            }
            let condition = &required[0]["Condition"];
            assert_eq!(
                condition["ForAnyValue:StringEquals"]["kms:EncryptionContextKeys"],
                json!(["atrest:volume"])
            );
            let condition = &limited[0]["Condition"];
            assert_eq!(condition["StringEquals"]["kms:EncryptionContext:atrest:volume"], volume);
            assert!(condition["ForAnyValue:StringEquals"].is_null());
        }
        let [[granter, _], _] = parsed(&PolicyRequest::new(KeyRole::Granter));
        let condition = &granter[0]["Condition"];
        assert_eq!(condition["StringEquals"]["kms:GrantConstraintType"], "EncryptionContextSubset");
        assert_eq!(condition["ForAllValues:StringEquals"]["kms:GrantOperations"], json!(GRANTED));
        let [[everybody, _], _] = parsed(&PolicyRequest::new(KeyRole::Node));
        assert_eq!(everybody[0]["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
        assert_eq!(policies("alias/x", &PolicyRequest::new(KeyRole::Node)), None);
    }
}
