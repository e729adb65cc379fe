// The status endpoint as one would write it in Node: session verified, one strongly consistent read.
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { cookies, json, log, serve, session } from "./lambda.mjs";

const database = new DynamoDBClient({ region: process.env.AWS_REGION });
const [provider] = JSON.parse(process.env.PROVIDERS);

await serve(async (event) => {
  const account = await session(cookies(event));
  const { Item: item } = await database.send(
    new GetItemCommand({
      TableName: process.env.TABLE_NAME,
      Key: { pk: { S: `ACCOUNT#${account.sub}` }, sk: { S: `LINK#${provider.id}` } },
      ConsistentRead: true,
    }),
  );
  const linked = item?.issuer !== undefined;
  log({ function: "status", outcome: linked ? "linked" : "not_linked" });
  return json({
    provider: { id: provider.id, name: provider.name },
    status: linked ? "linked" : "not_linked",
    link: linked
      ? { linked_at: new Date(Number(item.linked_at.N)).toISOString(), email: item.email.S.replace(/^(.).*@/, "$1***@") }
      : null,
    requirement: { required: true, since: "2020-04-01T00:00:00Z", exempt_until: null },
    actions: { start_link: `/sso/${provider.id}/start-link`, unlink: `/sso/${provider.id}/unlink` },
    reauthenticate: account.auth_time < Date.now() / 1000 - 3600 ? process.env.SIGN_IN_URL : null,
  });
});
