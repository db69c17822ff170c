// Drives @alicloud/pop-core (client "pop") or @alicloud/openapi-client (client "openapi"): one JSON request per line in, one JSON
// answer per line out. Packages come from NODE_PATH.
'use strict';

const readline = require('readline');

const VERSION = '2020-03-20';

function pop(options) {
  const { RPCClient } = require('@alicloud/pop-core');
  const client = new RPCClient({
    accessKeyId: options.key,
    accessKeySecret: options.secret,
    endpoint: `${options.protocol}://${options.endpoint}`,
    apiVersion: VERSION,
  });
  return ({ action, parameters, method }) => client.request(action, parameters, { method: method || 'POST' });
}

function openapi(options) {
  const { default: Client, Config, OpenApiRequest, Params } = require('@alicloud/openapi-client');
  const { RuntimeOptions } = require('@alicloud/tea-util');
  const client = new Client(new Config({
    accessKeyId: options.key,
    accessKeySecret: options.secret,
    endpoint: options.endpoint,
    protocol: options.protocol.toUpperCase(),
    regionId: 'cn-shanghai',
  }));
  return async ({ action, parameters }) => {
    const params = new Params({
      action, version: VERSION, protocol: options.protocol.toUpperCase(), pathname: '/', method: 'POST',
      authType: 'AK', style: 'RPC', reqBodyType: 'formData', bodyType: 'json',
    });
    const answer = await client.callApi(params, new OpenApiRequest({ body: parameters }), new RuntimeOptions({}));
    return answer.body;
  };
}

async function main() {
  let call = null;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    if (call === null) {
      call = request.client === 'pop' ? pop(request) : openapi(request);
      continue;
    }
    let answer;
    try {
      answer = { answer: await call(request) };
    } catch (error) {
      const status = (error.data && error.data.statusCode) || (error.entry && error.entry.response.statusCode);
      answer = { error: { kind: error.name, code: error.code || null, message: error.message, status } };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  process.exit(0); // its connections are kept alive
}

main();
