// Answers questions of the simulate contract, one JSON line each, by the other evaluator. Started as a child process by
// differential.rs with the folder where its packages are installed; it is a test oracle only and no part of the product.
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = join(process.argv[2], 'node_modules', '@cloud-copilot')
const load = (path) => import(pathToFileURL(join(folder, path)).href)
const { authorize } = await load('iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate/dist/esm/request/request.js')
const { RequestContextImpl } = await load('iam-simulate/dist/esm/requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await load('iam-policy/dist/esm/index.js')

const multivalued = new Set(['aws:tagkeys', 'sts:transitivetagkeys'])

// A list of one is a single value, unless the key is multi-valued by definition.
function contextOf(context) {
  const out = {}
  for (const [key, value] of Object.entries(context ?? {})) {
    const values = [value].flat()
    out[key] = values.length === 1 && !multivalued.has(key.toLowerCase()) ? values[0] : values
  }
  return out
}

const named = (name) => (policy, i) => loadPolicy(policy, { name: `${name}[${i}]` })

// Session policies that are passed together are one set; the other evaluator takes one document.
function sessionPolicy(policies) {
  if (!policies?.length) return undefined
  return loadPolicy({ Version: '2012-10-17', Statement: policies.flatMap((p) => [p.Statement].flat()) }, { name: 'session' })
}

function answer(question) {
  const { request } = question
  const analysis = authorize({
    request: new AwsRequestImpl(
      request.principal,
      { resource: request.resource, accountId: request.resource_account },
      request.action,
      new RequestContextImpl(contextOf(request.context)),
      false
    ),
    sessionPolicy: sessionPolicy(question.session_policies),
    identityPolicies: (question.identity_policies ?? []).map(named('identity')),
    serviceControlPolicies: (question.service_control_policies ?? []).map((level, i) => ({
      orgIdentifier: String(i),
      policies: level.map(named(`scp[${i}]`))
    })),
    resourceControlPolicies: [],
    resourcePolicy: question.resource_policy ? loadPolicy(question.resource_policy, { name: 'resource' }) : undefined,
    permissionBoundaries: question.permission_boundary ? [loadPolicy(question.permission_boundary, { name: 'boundary' })] : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
    serviceSettings: {}
  })
  const decision = { Allowed: 'allow', ExplicitlyDenied: 'explicit_deny', ImplicitlyDenied: 'implicit_deny' }[analysis.result]
  const sides = [
    analysis.identityAnalysis,
    analysis.resourceAnalysis,
    analysis.permissionBoundaryAnalysis,
    ...(analysis.scpAnalysis?.ouAnalysis ?? [])
  ]
  const denies = sides.flatMap((side) => side?.denyStatements ?? []).map((s) => `${s.policyId}#${s.statement.index() - 1}`)
  return { decision, denies, session_denies: (analysis.sessionAnalysis?.denyStatements ?? []).length }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let out
  try {
    out = answer(JSON.parse(line))
  } catch (error) {
    out = { error: String(error) }
  }
  if (!process.stdout.write(JSON.stringify(out) + '\n')) {
    await new Promise((resume) => process.stdout.once('drain', resume))
  }
}
