// SPDX-License-Identifier: Apache-2.0
// deal.mjs - reads the demo's task and all deals with ethers 6: npm i ethers@6; SOUK_STATE=… node deal.mjs
import { readFileSync } from "node:fs";
import { Contract, JsonRpcProvider } from "ethers";
const up = JSON.parse(readFileSync(process.env.SOUK_STATE + "/up.json"));
const receipt = JSON.parse(readFileSync(process.env.SOUK_STATE + "/receipt.json"));
const hub = new Contract(up.hub, [
  "function viewTask(bytes32) view returns (tuple(uint8 status, bytes32 dealid, uint256 idx, uint256 timeref, uint256 contributionDeadline, uint256 revealDeadline, uint256 finalDeadline, bytes32 consensusValue, uint256 revealCounter, uint256 winnerCounter, address[] contributors, bytes32 resultDigest, bytes results, uint256 resultsTimestamp, bytes resultsCallback))",
  "event OrdersMatched(bytes32 dealid, bytes32 appHash, bytes32 datasetHash, bytes32 workerpoolHash, bytes32 requestHash, uint256 volume)",
], new JsonRpcProvider(up.node));
const task = await hub.viewTask(receipt.task);
console.log("task status", task.status.toString(), "deal", task.dealid, "result", Buffer.from(task.results.slice(2), "hex").toString());
for (const log of await hub.queryFilter("OrdersMatched")) console.log("block", log.blockNumber, "deal", log.args.dealid, "volume", log.args.volume.toString());
process.exit(0);
