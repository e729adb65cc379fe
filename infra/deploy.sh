#!/bin/sh
# Deploys template.yaml into the AWS account of the caller's credentials, as samconfig.toml says for one environment: builds,
# shows the change set, asks, deploys, tells the URLs, and asks what is deployed what anybody may ask.
#
#   deploy.sh dev|staging|production
#
# AT_ONCE=true gives the new version all calls immediately: where an alarm rings already, a gradual deployment would be taken back.
#
# A test deploys into an emulator by the same steps. It brings
#   PARAMETERS   a file in the place of infra/environments/<environment>.yaml
#   SAM_DEPLOY   further options of `sam deploy`
#   ASK          a command in the place of infra/smoke.py; it gets the API's URL
set -eu

case ${1-} in
dev | staging | production) environment=$1 ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")/.."
stack=account-linking-$environment
parameters=${PARAMETERS:-infra/environments/$environment.yaml}
build=.aws-sam/build # SAM's own default; given a template elsewhere, it would look for samconfig.toml there

# arm64 unless the parameters say otherwise, as template.yaml does.
grep -Eq '^Architecture: "?x86_64"?$' "$parameters" || rustup target add aarch64-unknown-linux-gnu
sam build --beta-features --config-env "$environment" --parameter-overrides "file://$parameters"

case ${AT_ONCE-} in
true) gradual=GradualDeployment=false ;;
*) gradual= ;;
esac
# shellcheck disable=SC2086 # SAM_DEPLOY is several options, and there may be nothing to say of a gradual deployment
sam deploy --config-env "$environment" --stack-name "$stack" --confirm-changeset --no-fail-on-empty-changeset \
    --parameter-overrides "file://$parameters" $gradual "Release=$(infra/release.sh "$build" "$parameters")" \
    ${SAM_DEPLOY-}

# A run takes the step that is due, if any: in a new stack it makes the first key. SAM ends well whatever becomes of it.
answer=$(sam remote invoke RotateFlowKeysFunction --config-env "$environment" --stack-name "$stack" --output json)
case $answer in
*'"FunctionError"'*)
    echo "RotateFlowKeysFunction failed; its log says why" >&2
    exit 1
    ;;
esac

outputs=$(sam list stack-outputs --config-env "$environment" --stack-name "$stack" --output json)
output() {
    printf '%s' "$outputs" | python3 -c '
import json, sys
print(*(each["OutputValue"] for each in json.load(sys.stdin) if each["OutputKey"] == sys.argv[1]))' "$1"
}
api=$(output ApiUrl)
echo "API: $api"
${ASK:-infra/smoke.py} "$api"
