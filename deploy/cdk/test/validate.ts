import {createRequire} from 'node:module';

// AWS's own validator comes with aws-cdk-lib.
const inner = createRequire(createRequire(import.meta.url).resolve('aws-cdk-lib'));
const {CompositeEngine, TemplateContent} = inner('@aws/cloudformation-validate');
const engine = new CompositeEngine();

/** errors returns what CloudFormation would not take. */
export function errors(name: string, template: unknown): string[] {
  const report = engine.validateTemplate(new TemplateContent(JSON.stringify(template), `${name}.json`));
  if (report.diagnostics.length === 0) throw new Error('the validator said nothing at all');
  return report.diagnostics
    .filter((d: any) => d.severity !== 'INFO' && d.severity !== 'WARN')
    .map((d: any) => `${d.ruleId} ${d.message}`);
}
