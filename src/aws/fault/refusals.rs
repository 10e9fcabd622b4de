//! What to do about each refusal that has a name (service models of SSM 2014-11-06, ECR 2015-09-21, STS 2011-06-15).

use crate::problem::Kind;

/// The kind of trouble that `code` is, and what to do about it.
pub(super) fn remedy(code: &str) -> (Kind, &'static str) {
    match code {
        // Documents.
        "InvalidDocument" => (
            Kind::Config,
            "the region has no such Command document, or it is not shared with this account: create it there, or correct the rollout's document",
        ),
        "InvalidDocumentVersion" => (
            Kind::Config,
            "the document has no such version: correct document_version, or use $LATEST",
        ),
        "InvalidDocumentContent" | "InvalidDocumentOperation" | "InvalidDocumentSchemaVersion" => {
            (Kind::Config, "the document itself is faulty: mend it in the region")
        }
        "MaxDocumentSizeExceeded" => (
            Kind::Config,
            "SSM takes documents and parameters of at most 64 KB together: make them smaller",
        ),
        "UnsupportedPlatformType" => (
            Kind::Config,
            "the document does not run on the platform of these hosts: narrow the rollout's targets, or use a document for them",
        ),
        "InvalidParameters" => (
            Kind::Config,
            "a parameter is missing, unknown to the document or not among its allowed values: compare the rollout's parameters with the document",
        ),
        // Hosts.
        "InvalidInstanceId" => (
            Kind::Config,
            "a host is gone, stopped, not registered with SSM or not yours: make the plan anew",
        ),
        "DuplicateInstanceId" => (Kind::Unexpected, "the same host is named twice"),
        "InvalidInstanceInformationFilterValue" | "InvalidFilterKey" | "InvalidFilterValue" | "InvalidFilter" => (
            Kind::Config,
            "SSM does not take these targets as a filter: correct the rollout's targets",
        ),
        // Commands.
        "InvalidCommandId" => (
            Kind::Unexpected,
            "SSM does not have this command (any more): it keeps commands for 30 days",
        ),
        "InvalidPluginName" => (
            Kind::Config,
            "the document has no step of that name: correct the rollout's output_step",
        ),
        "InvocationDoesNotExist" => (Kind::Unexpected, "the host is not among the command's invocations"),
        "InvalidOutputFolder" => (Kind::Config, "the S3 bucket for the output does not exist"),
        "InvalidRole" | "InvalidNotificationConfig" => {
            (Kind::Config, "SSM does not take the notification role or topic")
        }
        "InvalidNextToken" => (Kind::Unexpected, "the listing changed meanwhile; try again"),
        // Registries.
        "RepositoryNotFoundException" => (
            Kind::Config,
            "create the repository in this region (`aws ecr create-repository`), or correct image.repository",
        ),
        "ImageNotFoundException" => (Kind::Build, "the repository has no such image: push it again"),
        "LayersNotFoundException" | "ReferencedImagesNotFoundException" => (
            Kind::Build,
            "parts of the image are not in the repository (any more): push it again",
        ),
        "ImageDigestDoesNotMatchException" => (
            Kind::Build,
            "the manifest is not the one that was pushed: push it again",
        ),
        "ImageTagAlreadyExistsException" => (
            Kind::Build,
            "the repository is immutable and the tag names another image",
        ),
        "LimitExceededException" => (
            Kind::Build,
            "a quota of ECR is used up (images or tags in this repository): delete old ones, or have it raised",
        ),
        "KmsException" => (
            Kind::Credentials,
            "the repository's KMS key can't be used: see that it is enabled and that its policy allows these credentials",
        ),
        "InvalidParameterException" | "InvalidTagParameterException" => {
            (Kind::Config, "correct the repository's name or the tag")
        }
        // All services.
        "RegionDisabledException" => (Kind::Credentials, "STS is not activated in this region for the account"),
        "OptInRequired" | "SubscriptionRequiredException" => {
            (Kind::Credentials, "the account has not enabled this region or service")
        }
        "ValidationException" | "ValidationError" => (
            Kind::Config,
            "AWS does not take one of the values: correct what it names in config.toml",
        ),
        "InvalidAction" | "UnknownOperationException" | "NotImplemented" => (
            Kind::Config,
            "the endpoint does not know this operation: it is not AWS, or too old",
        ),
        _ => (
            Kind::Unexpected,
            "look the error's name up in the AWS documentation; trying again as it is will not help",
        ),
    }
}
