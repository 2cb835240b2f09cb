//! The least that a key's policy, or an identity's, must say.

use super::Arn;
use serde_json::{Value, json};

/// Statements for a key's policy and for an identity's, each in two parts: what volumes need, and what serves
/// rewrapping and convenience.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policies {
    /// Statements to be added to the key's own policy.
    pub key_required: Value,
    /// The same, optional.
    pub key_optional: Value,
    /// Whole policies for the IAM identity that uses the key.
    pub iam_required: Value,
    /// The same, optional.
    pub iam_optional: Value,
}

/// The least policies for the use of the key with this ARN by `principal` (an ARN of IAM). `None` for a text that is no
/// ARN of a key.
///
/// Cryptographic use is limited to requests that carry a volume's encryption context, and grants to what a volume
/// needs: to open it, to make others, to describe the key.
pub fn policies(key: &str, principal: &str) -> Option<Policies> {
    Arn::parse(key)?.key_id()?;
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
    Some(Policies {
        key_required: for_key(&required),
        key_optional: for_key(&optional),
        iam_required: document(required.iter().map(|part| statement(part, key)).collect()),
        iam_optional: document(iam_optional),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_and_optional_parts_stand_apart() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let role = "arn:aws:iam::111122223333:role/storage";
        let policies = policies(key, role).unwrap();
        let actions = |statements: &Value| -> Vec<String> {
            let statements = statements.as_array().unwrap().iter();
            statements
                .flat_map(|statement| statement["Action"].as_array().unwrap().clone())
                .map(|action| action.as_str().unwrap().to_owned())
                .collect()
        };
        let required =
            ["kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant", "kms:DescribeKey"];
        assert_eq!(actions(&policies.key_required), required);
        assert_eq!(actions(&policies.iam_required["Statement"]), required);
        let optional = ["kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo"];
        assert_eq!(actions(&policies.key_optional), optional);
        assert_eq!(actions(&policies.iam_optional["Statement"])[..3], optional);
        assert_eq!(policies.key_required[0]["Principal"]["AWS"], role);
        assert_eq!(policies.iam_required["Statement"][0]["Resource"], key);
        assert_eq!(super::policies("alias/x", role), None);
    }
}
