// The callback as one would write it in Node: openid-client redeems and verifies, one claim, one transaction.
import { randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import * as client from "openid-client";
import { cookies, log, open, seeOther, serve, session } from "./lambda.mjs";

const database = new DynamoDBClient({ region: process.env.AWS_REGION });
const [provider] = JSON.parse(process.env.PROVIDERS);
const TableName = process.env.TABLE_NAME;

const config = new client.Configuration(
  { ...provider, authorization_response_iss_parameter_supported: true },
  provider.client_id,
  { id_token_signed_response_alg: "ES256" },
  client.ClientSecretBasic(provider.client_secret),
);
client.enableNonRepudiationChecks(config); // the signature of the ID token, always

await serve(async (event) => {
  const url = new URL(`${process.env.PUBLIC_ORIGIN}${event.rawPath}?${event.rawQueryString}`);
  const kept = cookies(event);
  const name = `__Host-sso-flow-${url.searchParams.get("state").slice(0, 8)}`;
  const flow = open(name, kept.get(name));
  const account = await session(kept);
  if (flow.started_at < Date.now() - 600_000 || flow.account !== account.sub || flow.session !== account.sid) {
    throw new Error("flow_unknown");
  }

  await database.send(
    new PutItemCommand({
      TableName,
      Item: {
        pk: { S: `FLOW#${flow.id}` },
        sk: { S: "CLAIM" },
        expires_at: { N: String(Math.floor(Date.now() / 1000) + 86_400) },
      },
      ConditionExpression: "attribute_not_exists(pk)",
    }),
  );
  const tokens = await client.authorizationCodeGrant(config, url, {
    expectedNonce: flow.nonce,
    expectedState: flow.state,
    pkceCodeVerifier: flow.code_verifier,
    idTokenExpected: true,
  });
  const identity = tokens.claims();
  if (!identity.email_verified || identity.email.toLowerCase() !== account.email.toLowerCase()) {
    throw new Error("confirm");
  }

  const now = { N: String(Date.now()) };
  const values = { ":issuer": { S: identity.iss }, ":subject": { S: identity.sub } };
  await database.send(
    new TransactWriteItemsCommand({
      ClientRequestToken: randomUUID(),
      TransactItems: [
        {
          Update: {
            TableName,
            Key: { pk: { S: `ACCOUNT#${account.sub}` }, sk: { S: `LINK#${provider.id}` } },
            UpdateExpression:
              "SET issuer = :issuer, subject = :subject, linked_at = if_not_exists(linked_at, :now), email = :email",
            ConditionExpression:
              "(attribute_not_exists(issuer) OR (issuer = :issuer AND subject = :subject)) AND (attribute_not_exists(flows_valid_after) OR flows_valid_after < :started_at)",
            ExpressionAttributeValues: {
              ...values,
              ":now": now,
              ":email": { S: identity.email },
              ":started_at": { N: String(flow.started_at) },
            },
            ReturnValuesOnConditionCheckFailure: "ALL_OLD",
          },
        },
        {
          Put: {
            TableName,
            Item: {
              pk: { S: `IDENTITY#${identity.iss}#${identity.sub}` },
              sk: { S: "OWNER" },
              account_id: { S: account.sub },
              email: { S: identity.email },
            },
            ConditionExpression: "attribute_not_exists(pk) OR account_id = :account",
            ExpressionAttributeValues: { ":account": { S: account.sub } },
            ReturnValuesOnConditionCheckFailure: "ALL_OLD",
          },
        },
        {
          Put: {
            TableName,
            Item: {
              pk: { S: `ACCOUNT#${account.sub}` },
              sk: { S: `EVENT#${flow.id}` },
              at: now,
              kind: { S: "linked" },
              provider: { S: provider.id },
            },
            ConditionExpression: "attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure: "ALL_OLD",
          },
        },
      ],
    }),
  );
  log({ function: "callback", outcome: "linked", "flow.id": flow.id });
  const cleared = `${name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0`;
  return seeOther(`${process.env.SETTINGS_URL}?sso=linked&provider=${provider.id}`, [cleared]);
});
