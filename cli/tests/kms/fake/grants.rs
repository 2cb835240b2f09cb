//! Grants: made, listed in pages of two, ended.

use serde_json::{Value, json};

use super::operations::would_succeed;
use super::state::{Answer, Grant, State, principal, refuse, text};

impl State {
    pub fn create_grant(&mut self, request: &Value, who: &str, dry: bool) -> Answer {
        let key = self.usable(request, "KeyId", who, "CreateGrant")?;
        if dry {
            return would_succeed();
        }
        let principal = text(request, "GranteePrincipal")?;
        if !principal.starts_with("arn:aws:iam::") {
            return Err(refuse("InvalidArnException", "GranteePrincipal"));
        }
        let same = |grant: &&Grant| {
            let fields = ["Name", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints"];
            request.get("Name").is_some() && fields.iter().all(|field| grant.request[field] == request[field])
        };
        let token = self.next().replace('-', "");
        // The token is another one each time, and every one of them works.
        if let Some(grant) = key.grants.iter().find(same) {
            return Ok(json!({ "GrantId": grant.id, "GrantToken": grant.token }));
        }
        let grant = Grant { id: self.next().replace('-', ""), token, request: request.clone() };
        let answer = json!({ "GrantId": grant.id, "GrantToken": grant.token });
        self.key_mut(&key.id).grants.push(grant);
        Ok(answer)
    }

    pub fn list_grants(&self, request: &Value, who: &str) -> Answer {
        let key = self.find(request, "KeyId", false)?;
        self.authorise(who, "ListGrants", &key, request)?;
        let from: usize = request["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
        let page: Vec<Value> = key.grants[from..].iter().take(2).map(listed).collect();
        let more = from + page.len() < key.grants.len();
        let next = more.then(|| (from + page.len()).to_string());
        Ok(json!({ "Grants": page, "Truncated": more, "NextMarker": next }))
    }

    /// RevokeGrant and RetireGrant.
    pub fn end_grant(&mut self, operation: &str, request: &Value, who: &str, dry: bool) -> Answer {
        let key = self.find(request, "KeyId", false)?;
        let id = text(request, "GrantId")?;
        let Some(grant) = key.grants.iter().find(|grant| grant.id == id) else {
            return Err(refuse("NotFoundException", format!("grant {id}")));
        };
        let own = operation == "RetireGrant" && grant.request["GranteePrincipal"] == principal(who);
        if !own {
            self.authorise(who, operation, &key, request)?;
        }
        if dry {
            return would_succeed();
        }
        self.key_mut(&key.id).grants.retain(|grant| grant.id != id);
        Ok(json!({}))
    }
}

fn listed(grant: &Grant) -> Value {
    let mut entry = grant.request.clone();
    entry["GrantId"] = grant.id.clone().into();
    entry
}
