#!/bin/sh
# Deploys template.yaml into the AWS account of the caller's credentials, as samconfig.toml says for one environment: builds for
# arm64, shows the change set, asks, deploys, tells the URLs, and asks what is deployed what anybody may ask.
#
#   deploy.sh dev|staging|production
set -eu

case ${1-} in
dev | staging | production) environment=$1 ;;
*)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."

rustup target add aarch64-unknown-linux-gnu
sam build --beta-features --config-env "$environment"
sam deploy --config-env "$environment" --confirm-changeset --no-fail-on-empty-changeset

# A run takes the step that is due, if any: in a new stack it makes the first key.
sam remote invoke RotateFlowKeysFunction --config-env "$environment" --stack-name "account-linking-$environment" --output text >/dev/null

outputs=$(sam list stack-outputs --config-env "$environment" --stack-name "account-linking-$environment" --output json)
output() {
    printf '%s' "$outputs" | python3 -c '
import json, sys
print(*(each["OutputValue"] for each in json.load(sys.stdin) if each["OutputKey"] == sys.argv[1]))' "$1"
}
api=$(output ApiUrl)
echo "API: $api"
infra/smoke.py "$api"
