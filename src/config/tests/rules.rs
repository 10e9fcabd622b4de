//! Every rule of the file, with lines that just keep it and lines that just break it.

use super::{read, report, with};

/// A rule: where it stands, lines that keep it, lines that break it with a word of the report.
struct Rule {
    header: &'static str,
    good: &'static [&'static str],
    bad: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[
    Rule {
        header: "",
        good: &[
            "app = 'a'",
            "app = 'Sento_2.0-x'",
            "branch = 'main'",
            "branch = 'release/1.2'",
        ],
        bad: &[
            ("app = ''", "`app` is not a plain name"),
            ("app = '-x'", "`app` is not a plain name"),
            ("app = 'a b'", "`app` is not a plain name"),
            ("app = 1", "`app` must be a string"),
            ("branch = 'a..b'", "`branch` is not a branch's name"),
            ("branch = '-x'", "`branch` is not a branch's name"),
            ("branch = 'x.lock'", "`branch` is not a branch's name"),
            ("branch = ''", "`branch` is not a branch's name"),
            ("regions = []", "`regions` is empty"),
            ("regions = 'us-east-1'", "`regions` must be a list"),
            ("regions = [1]", "every item of `regions` must be a string"),
            (
                "regions = ['us-east-1', 'us-east-1']",
                "the region us-east-1 is there twice",
            ),
            ("regions = ['us-east1']", "did you mean \"us-east-1\"?"),
            ("regions = ['US-EAST-1']", "did you mean \"us-east-1\"?"),
            ("region = 'us-east-1'", "`region` must be a table"),
            ("colour = 'red'", "unknown key `colour`"),
            ("rollouts = []", "did you mean `rollout`?"),
        ],
    },
    Rule {
        header: "[environment]",
        good: &["protected = true", "name = 'prod'"],
        bad: &[
            ("protected = 1", "`environment.protected` must be true or false"),
            ("name = '{app}'", "`environment.name` is not a plain name"),
            ("protect = true", "did you mean `protected`?"),
        ],
    },
    Rule {
        header: "[image]",
        good: &[
            "repository = 'ab'",
            "repository = 'team/a_b.c-d/{app}-{account}'",
            "tags = ['{short_sha}']",
            "tags = ['v-{sha}', 'latest', '{environment}-{region}']",
        ],
        bad: &[
            ("repository = 'a'", "`image.repository` is not an ECR repository's name"),
            (
                "repository = 'A-b'",
                "`image.repository` is not an ECR repository's name",
            ),
            (
                "repository = 'a//b'",
                "`image.repository` is not an ECR repository's name",
            ),
            ("repository = '{environment}-x'", "in us-east-1 this is `QA-x`"),
            ("repository = 'x-{sha}'", "`{sha}` can't be used in `image.repository`"),
            ("repository = 'x-{branch}'", "the file sets no branch"),
            ("repository = 'x-{'", "a `{` without its `}`"),
            ("repository = 'x-}'", "a `}` without its `{`"),
            ("repository = '{commit}'", "did you mean {sha}?"),
            ("tags = []", "`image.tags` is empty"),
            ("tags = ['latest']", "must name the commit"),
            ("tags = ['{sha}', '.x']", "`image.tags` is not an image tag"),
            (
                "tags = ['{sha}', '{account}']",
                "`{account}` can't be used in `image.tags`",
            ),
            (
                "tags = ['{sha}', 'latest', 'latest']",
                "the tag `latest` is there twice",
            ),
            (
                "tags = ['{sha}', 'us-east-1', '{region}']",
                "the tag `us-east-1` is there twice",
            ),
            ("tag = 'latest'", "did you mean `tags`?"),
        ],
    },
    Rule {
        header: "[build]",
        good: &[
            "context = '.'",
            "context = './apps/{app}/'",
            "dockerfile = 'docker/Dockerfile.{environment}'",
            "target = '0'",
            "platform = 'linux/arm/v7'",
            "source = 'worktree'",
            "builder = 'classic'",
            "args = { A_1 = '{account}', T = { secret_env = 'NPM_TOKEN' } }",
            "labels = { 'org.opencontainers.image.revision' = '{sha}' }",
        ],
        bad: &[
            (
                "context = '/srv'",
                "`build.context` is not a path inside of the repository",
            ),
            (
                "context = 'a/../..'",
                "`build.context` is not a path inside of the repository",
            ),
            ("context = ''", "`build.context` is not a path inside of the repository"),
            ("context = 'x-{sha}'", "`{sha}` can't be used in `build.context`"),
            (
                "dockerfile = 'docker/'",
                "`build.dockerfile` is not a file inside of the build context",
            ),
            ("target = ''", "`build.target` is not a build stage"),
            ("platform = 'amd64'", "`build.platform` is not a platform"),
            (
                "platform = 'linux/amd64,linux/arm64'",
                "`build.platform` is not a platform",
            ),
            ("source = 'worktre'", "did you mean \"worktree\"?"),
            ("builder = 'docker'", "allowed: \"auto\", \"buildkit\", \"classic\""),
            ("args = { '1A' = 'x' }", "`1A` is not a build argument's name"),
            ("args = { A = 1 }", "`build.args.A` must be a string"),
            (
                "args = { A = { secret_env = 'NOT_SET' } }",
                "the environment variable NOT_SET is not set",
            ),
            (
                "args = { A = { secret_env = 'EMPTY' } }",
                "the environment variable EMPTY is empty",
            ),
            (
                "args = { A = { secret_env = 'A-B' } }",
                "is not an environment variable's name",
            ),
            (
                "args = { A = { secret_file = 'none' } }",
                "the secret file none could not be read",
            ),
            ("args = { A = { } }", "`build.args.A` must name one source"),
            (
                "args = { A = { secret_env = 'NPM_TOKEN', secret_file = 'x' } }",
                "`build.args.A` must name one source",
            ),
            (
                "args = { A = { secret-env = 'NPM_TOKEN' } }",
                "did you mean `secret_env`?",
            ),
            ("labels = { 'a b' = 'x' }", "`a b` is not a label's name"),
            ("labels = ['x']", "`build.labels` must be a table"),
        ],
    },
    Rule {
        header: "[aws]",
        good: &[
            "profile = '{app}-{environment}'",
            "role = 'arn:aws-us-gov:iam::123456789012:role/path/deploy'",
            "endpoint_url = 'http://[::1]:4566/base'",
            "ssm_endpoint_url = 'https://ssm.{region}.example'",
        ],
        bad: &[
            ("profile = ''", "`aws.profile` is not a profile's name"),
            ("profile = '{account}'", "`{account}` can't be used in `aws.profile`"),
            ("role = 'deploy'", "`aws.role` is not the ARN of a role"),
            (
                "role = 'arn:aws:iam::12345:role/deploy'",
                "`aws.role` is not the ARN of a role",
            ),
            (
                "role = 'arn:aws:iam::123456789012:user/x'",
                "`aws.role` is not the ARN of a role",
            ),
            ("endpoint_url = 'localhost:4566'", "is not an endpoint's URL"),
            ("endpoint_url = 'ftp://host'", "is not an endpoint's URL"),
            (
                "sts_endpoint_url = 'http://'",
                "`aws.sts_endpoint_url` is not an endpoint's URL",
            ),
            (
                "ecr_endpoint_url = 'http://host:0'",
                "`aws.ecr_endpoint_url` is not an endpoint's URL",
            ),
            (
                "ssm_endpoint_url = 'http://user:pw@host'",
                "`aws.ssm_endpoint_url` is not an endpoint's URL",
            ),
            ("endpoint = 'http://host'", "unknown key `aws.endpoint`"),
        ],
    },
    Rule {
        header: "[[rollout]]",
        good: &[
            "name = 'abcdefghijklmnopqrstuvwxyz-01234'",
            "document = 'arn:aws:ssm:us-east-1:123456789012:document/x'",
            "document_version = 7",
            "document_version = '$DEFAULT'",
            "targets = { 'tag:A' = 'a', 'tag:B' = ['1', '2', '3', '4', '5'], 'tag:C' = 'c', 'tag:D' = '', 'tag:E' = 'e' }",
            "targets = { InstanceIds = ['i-0123456789abcdef0', 'mi-0123456789abcdef0', 'i-01234567'] }",
            "parameters = { a = 'x', b = ['x', '{sha}'], c = { secret_env = 'NPM_TOKEN' } }",
            "delivery_timeout = 30",
            "delivery_timeout = 2_592_000",
            "delivery_timeout = '30d'",
            "delivery_timeout = '1h 30m'",
            "max_concurrency = 1",
            "max_concurrency = 9999999",
            "max_concurrency = '100%'",
            "max_errors = 0",
            "max_errors = '0%'",
            "max_errors = '99%'",
        ],
        bad: &[
            ("name = 'Linux'", "`rollout.name` is not a rollout's name"),
            (
                "name = 'abcdefghijklmnopqrstuvwxyz-012345'",
                "`rollout.name` is not a rollout's name",
            ),
            ("document = 'ab'", "`rollout.document` is not an SSM document's name"),
            ("document = 'a b c'", "`rollout.document` is not an SSM document's name"),
            ("document = '{sha}'", "`{sha}` can't be used in `rollout.document`"),
            (
                "document_version = 0",
                "`rollout.document_version` is not a document's version",
            ),
            (
                "document_version = 'LATEST'",
                "`rollout.document_version` is not a document's version",
            ),
            (
                "document_version = 1.0",
                "`rollout.document_version` must be a number or a string",
            ),
            ("targets = {}", "`rollout.targets` has 0 keys"),
            (
                "targets = { 'tag:A' = '', 'tag:B' = '', 'tag:C' = '', 'tag:D' = '', 'tag:E' = '', 'tag:F' = '' }",
                "`rollout.targets` has 6 keys",
            ),
            ("targets = { 'tag:A' = ['1', '2', '3', '4', '5', '6'] }", "has 6 values"),
            ("targets = { 'tag:A' = [] }", "`rollout.targets.\"tag:A\"` is empty"),
            ("targets = { 'tag:A' = ['x', 'x'] }", "`x` of `tag:A` is there twice"),
            ("targets = { 'tag:' = 'x' }", "`tag:` is not a target key"),
            ("targets = { OS = 'x' }", "did you mean \"tag:OS\"?"),
            ("targets = { instance-ids = 'x' }", "did you mean \"InstanceIds\"?"),
            (
                "targets = { InstanceIds = ['i-123'] }",
                "`InstanceIds` is not an instance's id",
            ),
            (
                "targets = { 'resource-groups:Name' = ['a'] }",
                "SSM cannot list the hosts of a resource group",
            ),
            (
                "targets = { 'resource-groups:ResourceTypeFilters' = ['a'] }",
                "name the group's tags",
            ),
            ("targets = ['tag:OS=Linux']", "`rollout.targets` must be a table"),
            ("targets = { 'tag:A' = 1 }", "must be a string or a list of strings"),
            ("parameters = { a = 1 }", "`rollout.parameters.a` must be a string"),
            ("parameters = { a = [] }", "`rollout.parameters.a` is empty"),
            ("parameters = { a = ['{regions}'] }", "did you mean {region}?"),
            ("delivery_timeout = 29", "is not a time that SSM takes"),
            ("delivery_timeout = 2592001", "is not a time that SSM takes"),
            ("delivery_timeout = '500ms'", "is not a time that SSM takes"),
            ("delivery_timeout = '-10m'", "is not a time that SSM takes"),
            ("delivery_timeout = 'soon'", "is not a time that SSM takes"),
            ("delivery_timeout = 60.5", "must be a number of seconds or a duration"),
            ("max_concurrency = 0", "is not a concurrency that SSM takes"),
            ("max_concurrency = '0%'", "is not a concurrency that SSM takes"),
            ("max_concurrency = 10000000", "is not a concurrency that SSM takes"),
            ("max_errors = -1", "is not an error limit that SSM takes"),
            ("max_errors = '101%'", "is not an error limit that SSM takes"),
            ("max_errors = '05'", "is not an error limit that SSM takes"),
            ("max_error = 1", "did you mean `max_errors`?"),
        ],
    },
    Rule {
        header: "[region.us-east-2]",
        good: &[
            "image = { repository = 'other' }",
            "aws.role = 'arn:aws:iam::123456789012:role/x'",
            "rollout = []",
            "rollout.linux.max_errors = 1",
        ],
        bad: &[
            (
                "image = { repository = 'Other' }",
                "`image.repository` is not an ECR repository's name",
            ),
            (
                "build.source = 'commit'",
                "`region.us-east-2.build.source` can't differ between regions",
            ),
            ("rollout.linus.max_errors = 1", "did you mean `linux`?"),
            (
                "rollout.linux.name = 'x'",
                "unknown key `region.us-east-2.rollout.linux.name`",
            ),
            (
                "rollout.linux.document = 'x'",
                "`rollout.document` is not an SSM document's name",
            ),
            (
                "rollout = [{ name = 'x', targets = { 'tag:A' = 'a' } }]",
                "`rollout.document` is missing",
            ),
            ("app = 'x'", "unknown key `region.us-east-2.app`"),
        ],
    },
    Rule {
        header: "[region.us-east-3]",
        good: &[],
        bad: &[("aws = {}", "`us-east-3` is not in `regions`")],
    },
];

#[test]
fn every_rule_takes_what_keeps_it_and_names_what_breaks_it() {
    for rule in RULES {
        for line in rule.good {
            let text = with(rule.header, &format!("{line}\n"));
            if let Err(errors) = read(&text) {
                panic!("{} {line} is right, and yet:\n{errors}", rule.header);
            }
        }
        for (line, words) in rule.bad {
            let report = report(&with(rule.header, &format!("{line}\n")));
            assert!(
                report.contains(words),
                "{} {line}: expected `{words}` in\n{report}",
                rule.header
            );
            assert!(
                report.ends_with("has 1 mistake"),
                "{} {line}: one mistake, and yet:\n{report}",
                rule.header
            );
        }
    }
}
