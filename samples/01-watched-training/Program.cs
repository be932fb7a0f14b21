// Trains a network from C# with the monitor on, and prints what it finds the moment that it is certain.
using Fathom.Compute;
using Fathom.Diagnosis;
using Fathom.Graphs;
using Fathom.Graphs.Initializers;
using Fathom.Graphs.Ops;
using Fathom.Training;
using Fathom.Training.Data;
using Fathom.Training.Losses;
using Fathom.Training.Optimizers;

Graph network = Network.Input(64)
    .Repeat(8, block => block.Dense(64, VarianceScaling.XavierNormal).Sigmoid())
    .Dense(10)
    .Build();
TrainingPlan plan = new() { Loss = new CrossEntropy(), Optimizer = new Sgd(LearningRate: 0.1), BatchSize = 32, Epochs = 10 };
DataSplit digits = DataSource.Open("digits");

using WorkerPool pool = new(Environment.ProcessorCount);
using WatchedRun run = new(new ModelDefinition("eight sigmoids", network, plan), digits, pool);
run.Monitor.Found += finding => Console.WriteLine($"step {finding.Step}: {finding.Problem} ({finding.Cause}). {finding.Explanation} {finding.Action}");
run.Advance();

RunOutcome outcome = run.Outcome();
Console.WriteLine($"validation accuracy {outcome.Validation.Metric:P1}; first over last layer's gradient {outcome.GradientRatio:0.0E+0}");
