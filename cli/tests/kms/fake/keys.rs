//! Keys: made, named, described, and cared for.

use serde_json::{Value, json};

use super::ACCOUNT;
use super::state::{Answer, Key, State, denied, pending, refuse, text};

impl State {
    pub fn create_key(&mut self, request: &Value) -> Value {
        let id = self.next();
        let material = self.next();
        let or = |name: &str, default: &str| request[name].as_str().unwrap_or(default).to_owned();
        let key = Key {
            id,
            region: self.region.clone(),
            spec: or("KeySpec", "SYMMETRIC_DEFAULT"),
            usage: or("KeyUsage", "ENCRYPT_DECRYPT"),
            state: "Enabled".into(),
            manager: if request["Manager"] == "AWS" { "AWS" } else { "CUSTOMER" },
            deletion: None,
            materials: vec![material],
            rotation: None,
            grants: Vec::new(),
        };
        let metadata = json!({ "KeyMetadata": { "KeyId": key.id, "Arn": key.arn() } });
        self.keys.push(key);
        metadata
    }

    pub fn create_alias(&mut self, request: &Value) -> Answer {
        let target = text(request, "TargetKeyId")?;
        self.aliases.insert((self.region.clone(), text(request, "AliasName")?), target);
        Ok(json!({}))
    }

    /// Two in a page.
    pub fn list_aliases(&mut self, request: &Value, who: &str) -> Answer {
        if who != "owner" && !self.allowed.contains(&"ListAliases") {
            return Err(denied(who, "ListAliases", "*"));
        }
        let all: Vec<Value> = self
            .aliases
            .iter()
            .filter(|((region, _), _)| *region == self.region)
            .map(|((_, name), target)| json!({ "AliasName": name, "TargetKeyId": target }))
            .collect();
        let from: usize = request["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
        let limit = request["Limit"].as_u64().unwrap_or(2) as usize;
        let page: Vec<Value> = all[from..].iter().take(limit).cloned().collect();
        let more = from + page.len() < all.len();
        let next = more.then(|| (from + page.len()).to_string());
        Ok(json!({ "Aliases": page, "Truncated": more, "NextMarker": next }))
    }

    pub fn describe_key(&self, request: &Value, who: &str) -> Answer {
        let key = self.find(request, "KeyId", true)?;
        self.authorise(who, "DescribeKey", &key, request)?;
        Ok(json!({ "KeyMetadata": {
            "AWSAccountId": ACCOUNT, "KeyId": key.id, "Arn": key.arn(), "CreationDate": 1.7e9,
            "Enabled": key.state == "Enabled", "KeyState": key.state, "KeySpec": key.spec,
            "KeyUsage": key.usage, "KeyManager": key.manager, "Origin": "AWS_KMS", "MultiRegion": false,
            "DeletionDate": key.deletion, "CurrentKeyMaterialId": key.material(),
            "Description": if key.manager == "AWS" { "Default key that protects volumes" } else { "" },
        }}))
    }

    pub fn administer(&mut self, operation: &str, request: &Value, who: &str) -> Answer {
        let found = self.find(request, "KeyId", false)?;
        self.authorise(who, operation, &found, request)?;
        if found.state == "PendingDeletion"
            && operation != "CancelKeyDeletion"
            && operation != "GetKeyRotationStatus"
        {
            return Err(pending(&found));
        }
        let material = self.next();
        let key = self.key_mut(&found.id);
        match operation {
            "EnableKey" => key.state = "Enabled".into(),
            "DisableKey" => key.state = "Disabled".into(),
            "ScheduleKeyDeletion" => {
                let days = request["PendingWindowInDays"].as_u64().unwrap_or(30);
                if !(7..=30).contains(&days) {
                    return Err(refuse("ValidationException", "PendingWindowInDays"));
                }
                key.state = "PendingDeletion".into();
                key.deletion = Some(1_800_000_000 + days * 86_400);
                return Ok(
                    json!({ "KeyId": key.arn(), "DeletionDate": key.deletion, "KeyState": key.state }),
                );
            }
            "CancelKeyDeletion" => (key.state, key.deletion) = ("Disabled".into(), None),
            "EnableKeyRotation" => {
                key.rotation = Some(request["RotationPeriodInDays"].as_u64().unwrap_or(365))
            }
            "DisableKeyRotation" => key.rotation = None,
            "RotateKeyOnDemand" => {
                key.materials.push(material);
                return Ok(json!({ "KeyId": key.arn() }));
            }
            "GetKeyRotationStatus" => {
                return Ok(json!({
                    "KeyId": key.arn(), "KeyRotationEnabled": key.rotation.is_some(),
                    "RotationPeriodInDays": key.rotation, "NextRotationDate": key.rotation.map(|_| 1.8e9),
                }));
            }
            _ => return Err(refuse("UnknownOperationException", operation)),
        }
        Ok(json!({}))
    }
}
