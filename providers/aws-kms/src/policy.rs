//! The least that a key's policy, or an identity's, must say.

use super::Arn;
use atrest::keys::{KeyPolicies, Policy};
use serde_json::{Value, json};

/// The least policies for the use of the key with this ARN by `principal` (an ARN of IAM; without one, everybody in the
/// key's account to whom its own policies give the right). `None` for a text that is no ARN of a key.
///
/// Each is JSON: statements to be added to the key's own policy, and whole policies for the IAM identity that uses it.
/// Cryptographic use is limited to requests that carry a volume's encryption context, and grants to what a volume
/// needs: to open it, to make others, to describe the key.
pub fn policies(key: &str, principal: Option<&str>) -> Option<KeyPolicies> {
    let arn = Arn::parse(key)?;
    arn.key_id()?;
    let account = || format!("arn:{}:iam::{}:root", arn.partition, arn.account);
    let principal = principal.map_or_else(account, str::to_owned);
    let context = json!({ "ForAnyValue:StringEquals": { "kms:EncryptionContextKeys": ["atrest:volume"] } });
    let grants = json!({
        "ForAllValues:StringEquals": {
            "kms:GrantOperations": ["Decrypt", "GenerateDataKeyWithoutPlaintext", "DescribeKey", "RetireGrant"]
        }
    });
    let required = [
        ("AtrestUse", json!(["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext"]), Some(context.clone())),
        ("AtrestGrant", json!(["kms:CreateGrant"]), Some(grants)),
        ("AtrestDescribe", json!(["kms:DescribeKey"]), None),
    ];
    let optional =
        [("AtrestRewrap", json!(["kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"]), Some(context))];
    let statement = |(sid, action, condition): &(&str, Value, Option<Value>), resource: &str| {
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource });
        if let Some(condition) = condition {
            statement["Condition"] = condition.clone();
        }
        statement
    };
    let for_key = |parts: &[(&str, Value, Option<Value>)]| -> Value {
        let with_principal = |part| {
            // In a key's policy this key is the only resource.
            let mut statement = statement(part, "*");
            statement["Principal"] = json!({ "AWS": principal });
            statement
        };
        parts.iter().map(with_principal).collect()
    };
    let document = |statements: Vec<Value>| json!({ "Version": "2012-10-17", "Statement": statements });
    let mut iam_optional: Vec<Value> = optional.iter().map(|part| statement(part, key)).collect();
    // Aliases are listed by account, so no key's policy can allow it.
    iam_optional.push(statement(&("AtrestPick", json!(["kms:ListAliases"]), None), "*"));
    let iam_required = document(required.iter().map(|part| statement(part, key)).collect());
    let policy =
        |required: Value, optional: Value| Some(Policy::new(required.to_string(), optional.to_string()));
    Some(KeyPolicies::new(
        policy(for_key(&required), for_key(&optional)),
        policy(iam_required, document(iam_optional)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_and_optional_parts_stand_apart() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let role = "arn:aws:iam::111122223333:role/storage";
        let policies = policies(key, Some(role)).unwrap();
        let parsed = |policy: &Policy| {
            [&policy.required, &policy.optional].map(|text| serde_json::from_str::<Value>(text).unwrap())
        };
        let [key_required, key_optional] = parsed(policies.of_key.as_ref().unwrap());
        let [iam_required, iam_optional] = parsed(policies.of_identity.as_ref().unwrap());
        let actions = |statements: &Value| -> Vec<String> {
            let statements = statements.as_array().unwrap().iter();
            statements
                .flat_map(|statement| statement["Action"].as_array().unwrap().clone())
                .map(|action| action.as_str().unwrap().to_owned())
                .collect()
        };
        let required =
            ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant", "kms:DescribeKey"];
        assert_eq!(actions(&key_required), required);
        assert_eq!(actions(&iam_required["Statement"]), required);
        let optional = ["kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"];
        assert_eq!(actions(&key_optional), optional);
        assert_eq!(actions(&iam_optional["Statement"])[..3], optional);
        assert_eq!(key_required[0]["Principal"]["AWS"], role);
        assert_eq!(iam_required["Statement"][0]["Resource"], key);
        let everybody = super::policies(key, None).unwrap();
        let [statements, _] = parsed(everybody.of_key.as_ref().unwrap());
        assert_eq!(statements[0]["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
        assert_eq!(super::policies("alias/x", Some(role)), None);
    }
}
