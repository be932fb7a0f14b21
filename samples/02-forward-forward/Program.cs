// Trains digits by the forward-forward algorithm (Hinton 2022): no back-propagation, so no gradient that could vanish on
// its way down. Prints how well each layer tells real samples from made-up ones, and the accuracy of the whole.
using System.Globalization;
using Fathom.Compute;
using Fathom.Training.Data;
using Fathom.Training.ForwardForward;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using WorkerPool pool = new(Environment.ProcessorCount);
ForwardForwardPlan plan = new() { Widths = [300, 300, 300], Epochs = 20 };
using ForwardForwardSession session = new(plan, DataSource.Open("digits"), pool);
while (!session.Finished)
{
    ForwardForwardEpoch epoch = session.TrainEpoch();
    string losses = string.Join("  ", epoch.LayerLosses.Select(loss => $"{loss:F3}"));
    Console.WriteLine($"epoch {epoch.Epoch + 1,2}/{plan.Epochs}  loss by layer {losses}  validation accuracy {epoch.ValidationAccuracy:P1}");
}
