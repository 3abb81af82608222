'use strict';
// The module that CloudFormation gives to inline Node.js functions, for custom resources.
const https = require('https');
const http = require('http');

exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

exports.send = function send(event, context, status, data, physicalResourceId, noEcho) {
  const body = JSON.stringify({
    Status: status,
    Reason: `See the details in CloudWatch Log Stream: ${context.logStreamName}`,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: data,
  });
  const url = new URL(event.ResponseURL);
  const request = (url.protocol === 'http:' ? http : https).request(url, {
    method: 'PUT',
    headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) },
  });
  return new Promise((resolve) => {
    const end = () => {
      context.done();
      resolve();
    };
    request.on('response', (response) => {
      response.resume();
      response.on('end', end);
    });
    request.on('error', (err) => {
      console.log(`send(..) failed executing https.request(..): ${err}`);
      end();
    });
    request.end(body);
  });
};
