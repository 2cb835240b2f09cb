//! The operations, and the cryptographic ones among them.

use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};

use super::state::{Answer, State, bytes, refuse};

/// The operations that have DryRun.
const DRY: [&str; 7] = [
    "GenerateDataKeyWithoutPlaintext",
    "Decrypt",
    "Encrypt",
    "ReEncrypt",
    "CreateGrant",
    "RevokeGrant",
    "RetireGrant",
];

/// What a dry run ends with, when everything is as it should be.
pub fn would_succeed() -> Answer {
    let message = "The request would have succeeded, but the DryRun option is set.";
    Err(refuse("DryRunOperationException", message))
}

impl State {
    pub fn answer(&mut self, operation: &str, request: &Value, who: &str) -> Answer {
        let dry = request["DryRun"] == true && DRY.contains(&operation);
        match operation {
            "CreateKey" => Ok(self.create_key(request)),
            "CreateAlias" => self.create_alias(request),
            "ListAliases" => self.list_aliases(request, who),
            "DescribeKey" => self.describe_key(request, who),
            "GenerateDataKeyWithoutPlaintext" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                if request["KeySpec"] != "AES_256" {
                    return Err(refuse("ValidationException", "KeySpec"));
                }
                if dry {
                    return would_succeed();
                }
                let blob = self.seal(vec![self.count as u8; 32], &key, &request["EncryptionContext"]);
                Ok(json!({ "CiphertextBlob": blob, "KeyId": key.arn(), "KeyMaterialId": key.material() }))
            }
            "Encrypt" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                let plaintext = bytes(request, "Plaintext")?;
                if !(1..=4096).contains(&plaintext.len()) {
                    return Err(refuse("ValidationException", "Plaintext"));
                }
                if dry {
                    return would_succeed();
                }
                let blob = self.seal(plaintext, &key, &request["EncryptionContext"]);
                Ok(
                    json!({ "CiphertextBlob": blob, "KeyId": key.arn(), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
                )
            }
            "Decrypt" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                if dry && request["DryRunModifiers"] == json!(["IGNORE_CIPHERTEXT"]) {
                    return would_succeed();
                }
                let sealed = self.unseal(request, &key, "EncryptionContext")?;
                if dry {
                    return would_succeed();
                }
                Ok(json!({
                    "Plaintext": Base64::encode_string(&sealed.plaintext), "KeyId": key.arn(),
                    "KeyMaterialId": sealed.material, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                }))
            }
            "ReEncrypt" => {
                let source = self.usable(request, "SourceKeyId", who, "ReEncryptFrom")?;
                let to = self.usable(request, "DestinationKeyId", who, "ReEncryptTo")?;
                if dry && request["DryRunModifiers"] == json!(["IGNORE_CIPHERTEXT"]) {
                    return would_succeed();
                }
                let sealed = self.unseal(request, &source, "SourceEncryptionContext")?;
                let (plaintext, material) = (sealed.plaintext.clone(), sealed.material.clone());
                if dry {
                    return would_succeed();
                }
                let blob = self.seal(plaintext, &to, &request["DestinationEncryptionContext"]);
                Ok(json!({
                    "CiphertextBlob": blob, "SourceKeyId": source.arn(), "KeyId": to.arn(),
                    "SourceKeyMaterialId": material, "DestinationKeyMaterialId": to.material(),
                }))
            }
            "CreateGrant" => self.create_grant(request, who, dry),
            "ListGrants" => self.list_grants(request, who),
            "RevokeGrant" | "RetireGrant" => self.end_grant(operation, request, who, dry),
            _ => self.administer(operation, request, who),
        }
    }
}
