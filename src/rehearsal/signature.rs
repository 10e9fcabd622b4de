//! What a signed request says about itself: SigV4's credential scope names key, region and service.

use crate::rehearsal::wire::{Fault, Service};

/// The scope of `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
///
/// The signature itself is not verified: the key tells a rehearsal's request from one that strayed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub region: String,
    pub service: Service,
}

impl Scope {
    /// Reads the `Authorization` header of a request that must carry `access_key`.
    pub fn read(authorization: Option<&str>, access_key: &str) -> Result<Self, Fault> {
        let missing = || Fault::client("MissingAuthenticationTokenException", "Missing Authentication Token");
        let credential = authorization
            .and_then(|header| header.strip_prefix("AWS4-HMAC-SHA256"))
            .and_then(|rest| rest.split(',').find_map(|part| part.trim().strip_prefix("Credential=")))
            .ok_or_else(missing)?;
        let parts: Vec<&str> = credential.split('/').collect();
        let [key, _date, region, service, "aws4_request"] = parts[..] else {
            return Err(Fault::client(
                "IncompleteSignatureException",
                "the credential scope is not KEY/DATE/REGION/SERVICE/aws4_request",
            ));
        };
        if key != access_key {
            // Said without the key: it may be a real one that was pointed here by accident.
            return Err(Fault::client(
                "UnrecognizedClientException",
                "The security token included in the request is invalid: it is not the rehearsal's",
            ));
        }
        let service = Service::signed_as(service).ok_or_else(|| {
            Fault::client(
                "UnknownOperationException",
                format!("the rehearsal stands in for ssm, ecr and sts, not for {service}"),
            )
        })?;
        Ok(Self {
            region: region.to_owned(),
            service,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "AWS4-HMAC-SHA256 Credential=KEY/20261125/us-east-2/ssm/aws4_request, SignedHeaders=host, Signature=0";

    #[test]
    fn a_request_names_its_region_and_service() {
        let scope = Scope::read(Some(HEADER), "KEY").expect("a scope");
        assert_eq!((scope.region.as_str(), scope.service), ("us-east-2", Service::Ssm));
    }

    #[test]
    fn a_real_key_is_refused_and_not_repeated() {
        let header = HEADER.replace("KEY", "AKIAREALREALREALREAL");
        let fault = Scope::read(Some(&header), "KEY").expect_err("another key");
        assert_eq!(fault.code, "UnrecognizedClientException");
        assert!(!fault.message.contains("AKIAREAL"));
    }

    #[test]
    fn an_unsigned_request_is_refused() {
        for header in [None, Some("Basic abc"), Some("AWS4-HMAC-SHA256 Signature=0")] {
            let fault = Scope::read(header, "KEY").expect_err("no credential");
            assert_eq!(fault.code, "MissingAuthenticationTokenException");
        }
        let short = "AWS4-HMAC-SHA256 Credential=KEY/us-east-2/ssm";
        assert_eq!(
            Scope::read(Some(short), "KEY").expect_err("too short").code,
            "IncompleteSignatureException"
        );
    }
}
